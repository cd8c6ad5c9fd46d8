//! Which shard is fetched next, and which one makes room for it: the cache's rules, without files or time.
//!
//! The order of an epoch is known, and so is that of the next one. So the shard whose next use is furthest
//! away goes first (L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
//! Systems Journal 5(2), 1966), with two additions:
//!
//! * A set of shards is in use at once. Room is only made of what is in no set that is open then.
//! * A shard is fetched as early as that rule allows. The rule names the one that goes when the missing
//!   shard opens. If that one is still to be used before, the fetch waits for it; taking another one
//!   instead would cost a fetch later.
//!
//! So what is fetched is what an offline simulation fetches that reads the sets one after the other, however
//! fast the network and the consumer are: `tests.rs` beside this compares the two.

use std::collections::BTreeMap;

use super::course::Course;

/// Number of a shard in the cache, over all datasets.
pub(super) type ShardId = usize;
/// Number of a user: a dataset that a process has open.
pub(super) type UserId = u64;

/// Where a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    Arriving,
    Present,
    /// It could not be fetched, and is not tried again for the epochs that are under way.
    Failed,
}

struct Known {
    bytes: u64,
    state: State,
}

struct User {
    /// The cache's numbers of the dataset's shards.
    ids: Vec<ShardId>,
    course: Course,
    /// Sets that use each shard, by its number in the cache.
    uses: BTreeMap<ShardId, Vec<usize>>,
    /// Bytes of all sets before each one.
    before: Vec<u64>,
    /// The first set in use.
    at: usize,
    /// Whether the epoch is under way. One that has ended fetches nothing.
    running: bool,
    /// Processes that share an order, and are never more than a step apart.
    group: Option<String>,
    open_at_once: u64,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// These go, and then the shard is fetched.
    Fetch { shard: ShardId, evict: Vec<ShardId> },
    /// These go, since the cache holds more than it may.
    Evict(Vec<ShardId>),
    /// Nothing, until something changes.
    Wait,
}

pub(super) struct Policy {
    quota: u64,
    shards: Vec<Known>,
    users: BTreeMap<UserId, User>,
    used: u64,
}

impl Policy {
    pub(super) fn new(quota: u64) -> Self {
        Self {
            quota,
            shards: Vec::new(),
            users: BTreeMap::new(),
            used: 0,
        }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Adds a shard of `bytes` bytes.
    pub(super) fn add(&mut self, bytes: u64, state: State) -> ShardId {
        let shard = Known {
            bytes,
            state: State::Absent,
        };
        self.shards.push(shard);
        self.set(self.shards.len() - 1, state);
        self.shards.len() - 1
    }

    pub(super) fn state(&self, shard: ShardId) -> State {
        self.shards[shard].state
    }

    /// Says that a shard has another size than was thought, and is not there.
    pub(super) fn correct(&mut self, shard: ShardId, bytes: u64) {
        self.set(shard, State::Absent);
        self.shards[shard].bytes = bytes;
    }

    /// Says where a shard is now.
    pub(super) fn set(&mut self, shard: ShardId, state: State) {
        let takes = |state| matches!(state, State::Arriving | State::Present);
        let shard = &mut self.shards[shard];
        match (takes(shard.state), takes(state)) {
            (false, true) => self.used += shard.bytes,
            (true, false) => self.used -= shard.bytes,
            _ => {}
        }
        shard.state = state;
    }

    /// Bytes that have to be there at once, over all users but `but` whose epoch is under way: a program that trains
    /// and evaluates in turns needs room for one of the two. Processes of one group count once.
    pub(super) fn open_at_once(&self, but: UserId, group: Option<&str>) -> u64 {
        let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
        let mut sum = 0;
        for user in self
            .users
            .iter()
            .filter(|(id, user)| **id != but && user.running)
            .map(|(_, user)| user)
        {
            match &user.group {
                Some(own) if Some(&**own) == group => {}
                Some(own) => {
                    let most = groups.entry(own).or_default();
                    *most = user.open_at_once.max(*most);
                }
                None => sum += user.open_at_once,
            }
        }
        sum + groups.values().sum::<u64>()
    }

    /// Gives a user a new course, of which the first set is in use. `ids` are the cache's numbers of the
    /// dataset's shards. Shards that could not be fetched for it before are tried again.
    pub(super) fn begin(
        &mut self,
        id: UserId,
        ids: Vec<ShardId>,
        course: Course,
        group: Option<String>,
    ) {
        for &shard in &ids {
            if self.state(shard) == State::Failed {
                self.set(shard, State::Absent);
            }
        }
        let bytes: Vec<u64> = ids.iter().map(|&shard| self.shards[shard].bytes).collect();
        let mut before = vec![0];
        for set in &course.sets {
            let set: u64 = set.shards.iter().map(|&shard| bytes[shard as usize]).sum();
            before.push(before[before.len() - 1] + set);
        }
        let mut uses: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
        for (number, set) in course.sets.iter().enumerate() {
            for &shard in &set.shards {
                uses.entry(ids[shard as usize]).or_default().push(number);
            }
        }
        let user = User {
            uses,
            open_at_once: course.open_at_once(&bytes),
            ids,
            course,
            before,
            at: 0,
            running: true,
            group,
        };
        self.users.insert(id, user);
    }

    /// Says that a user's sets before number `at` are used up.
    pub(super) fn advance(&mut self, id: UserId, at: usize) {
        if let Some(user) = self.users.get_mut(&id) {
            user.at = user.at.max(at.min(user.course.epoch));
            user.running &= user.at < user.course.epoch;
        }
    }

    /// Says that a user's epoch is over, complete or not.
    pub(super) fn end_epoch(&mut self, id: UserId) {
        if let Some(user) = self.users.get_mut(&id) {
            user.at = user.course.epoch;
            user.running = false;
        }
    }

    /// Forgets a user.
    pub(super) fn leave(&mut self, id: UserId) {
        self.users.remove(&id);
    }

    /// The shards of a user that are open and present.
    pub(super) fn ready(&self, id: UserId) -> Vec<u32> {
        let Some(user) = self.users.get(&id).filter(|user| user.running) else {
            return Vec::new();
        };
        let open = user.course.sets[user.at..=user.course.sets[user.at].until].iter();
        let mut open: Vec<u32> = open.flat_map(|set| set.shards.iter().copied()).collect();
        open.sort_unstable();
        open.dedup();
        open.retain(|&shard| self.state(user.ids[shard as usize]) == State::Present);
        open
    }

    /// What is to be done next.
    pub(super) fn decide(&self) -> Decision {
        let missing = self.users.iter().filter_map(|(id, user)| {
            let (shard, set) = self.missing(user)?;
            let away = |set: usize| user.before[set] - user.before[user.at];
            // What is open comes first, and of that what is used first.
            Some((away(user.opens(set)), away(set), *id, shard, set))
        });
        let mut missing: Vec<_> = missing.collect();
        missing.sort_unstable();
        for (distance, _, id, shard, set) in missing {
            if let Some(evict) = self.room(id, shard, set, distance) {
                return Decision::Fetch { shard, evict };
            }
        }
        self.shrink()
    }

    /// The first shard that a user's course lacks, and the set that needs it.
    fn missing(&self, user: &User) -> Option<(ShardId, usize)> {
        let sets = user.course.sets.iter().enumerate();
        let ahead = sets.skip(user.at).filter(|_| user.running);
        let mut shards = ahead.flat_map(|(number, set)| {
            set.shards
                .iter()
                .map(move |&shard| (user.ids[shard as usize], number))
        });
        shards.find(|&(shard, _)| self.state(shard) == State::Absent)
    }

    /// What has to go so that there is room for a shard that set number `set` of a user needs; `None` if
    /// that has to wait.
    fn room(&self, id: UserId, shard: ShardId, set: usize, distance: u64) -> Option<Vec<ShardId>> {
        let user = &self.users[&id];
        let opens = user.opens(set);
        let (mut evict, mut used) = (Vec::new(), self.used + self.shards[shard].bytes);
        while used > self.quota {
            let (away, victim) = self.furthest(Some((id, opens)), &evict)?;
            // It is still on its way, or it is used before the missing one opens.
            let needed = self.state(victim) != State::Present
                || user.used_in(victim, user.at..opens)
                || (away < distance && opens > user.at);
            if needed {
                return None;
            }
            used -= self.shards[victim].bytes;
            evict.push(victim);
        }
        Some(evict)
    }

    /// What goes until the cache is no larger than it may be.
    fn shrink(&self) -> Decision {
        let (mut evict, mut used) = (Vec::new(), self.used);
        while used > self.quota {
            match self.furthest(None, &evict) {
                Some((_, victim)) if self.state(victim) == State::Present => {
                    used -= self.shards[victim].bytes;
                    evict.push(victim);
                }
                _ => break,
            }
        }
        if evict.is_empty() {
            return Decision::Wait;
        }
        Decision::Evict(evict)
    }

    /// The shard whose next use is furthest away, in bytes, at the time when user `when.0` has set `when.1`
    /// as its first one in use, among those that no open set needs then. Others are where they are now.
    fn furthest(&self, when: Option<(UserId, usize)>, but: &[ShardId]) -> Option<(u64, ShardId)> {
        let taken = self.shards.iter().enumerate().filter(|(shard, known)| {
            matches!(known.state, State::Arriving | State::Present) && !but.contains(shard)
        });
        let away = taken.filter_map(|(shard, _)| {
            let mut nearest = u64::MAX;
            for (id, user) in &self.users {
                let at = match when {
                    Some((of, at)) if of == *id => at,
                    _ => user.at,
                };
                nearest = nearest.min(self.away(*id, user, at, shard)?);
            }
            Some((nearest, shard))
        });
        // The lowest number among equals, so that nothing depends on the order of a table.
        away.max_by_key(|&(away, shard)| (away, std::cmp::Reverse(shard)))
    }

    /// Bytes that a user reads before it next uses a shard, with set `at` as the first one in use; `None`
    /// if an open set needs it.
    fn away(&self, id: UserId, user: &User, at: usize, shard: ShardId) -> Option<u64> {
        let sets = &user.course.sets;
        let open = if user.running && at < sets.len() {
            at..sets[at].until + 1
        } else {
            at..at
        };
        if user.used_in(shard, open.clone()) {
            return None;
        }
        let Some(next) = user.uses.get(&shard).and_then(|uses| {
            uses.get(uses.partition_point(|&set| set < open.end))
                .copied()
        }) else {
            return Some(u64::MAX);
        };
        let own = user.before[next] - user.before[at.min(next)];
        // Datasets take turns, as those for training and validation do: what lies in an epoch that has not
        // begun comes after what is left of those that have, and after one epoch of each other dataset.
        let others = self.users.iter().filter(|(other, _)| **other != id);
        let turns = others.map(|(_, other)| match (user.running, other.running) {
            (true, _) if next < user.course.epoch => 0,
            (false, true) => other.left(),
            (true, true) | (false, false) => 0,
            (true, false) => other.before[other.course.epoch],
        });
        Some(own.saturating_add(turns.sum()))
    }
}

impl User {
    /// The first set, from the one in use on, with which set number `set` opens.
    fn opens(&self, set: usize) -> usize {
        let ahead = &self.course.sets[self.at..];
        self.at + ahead.partition_point(|earlier| earlier.until < set)
    }

    /// Whether one of these sets uses a shard.
    fn used_in(&self, shard: ShardId, sets: std::ops::Range<usize>) -> bool {
        self.uses.get(&shard).is_some_and(|uses| {
            let from = uses.partition_point(|&set| set < sets.start);
            uses.get(from).is_some_and(|&set| set < sets.end)
        })
    }

    /// Bytes that the epoch still reads.
    fn left(&self) -> u64 {
        self.before[self.course.epoch] - self.before[self.at]
    }
}

#[cfg(test)]
mod tests;
