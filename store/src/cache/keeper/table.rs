//! What the keeper knows of shards, of the datasets that processes have open, and of its own work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::Sender;
use std::time::Instant;

use shardmill_formats::Causes;

use super::super::figures::Figures;
use super::super::folder::is_blake3;
use super::super::policy::{Policy, ShardId, State, UserId};
use super::super::protocol::{Reply, ShardFile};
use crate::remote::Remote;

/// What the keeper knows.
pub(super) struct Table {
    pub(super) policy: Policy,
    /// The cache's shards by their numbers.
    pub(super) shards: Vec<Stored>,
    pub(super) by_blake3: HashMap<String, ShardId>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) next_user: UserId,
    /// Epochs that have begun.
    pub(super) begun: u64,
    pub(super) figures: Figures,
    /// Transfers under way, and since when there has been at least one.
    pub(super) transfers: usize,
    pub(super) busy_since: Instant,
}

pub(super) struct Stored {
    pub(super) blake3: String,
    pub(super) bytes: u64,
    /// Where it can be had, once a dataset has been opened that holds it.
    pub(super) source: Option<(Remote, String)>,
}

/// A dataset that a process has open.
pub(super) struct User {
    pub(super) to: Sender<Reply>,
    /// The process's number for it.
    pub(super) number: u64,
    pub(super) ids: Vec<ShardId>,
    /// The shards that the process was told are ready.
    pub(super) told: BTreeSet<u32>,
    /// When its epoch began, counted over all users.
    pub(super) began: u64,
}

impl Table {
    /// The cache's number of a shard.
    pub(super) fn number(&mut self, blake3: &str, bytes: u64, state: State) -> ShardId {
        if let Some(&shard) = self.by_blake3.get(blake3) {
            return shard;
        }
        let shard = self.policy.add(bytes, state);
        self.by_blake3.insert(blake3.to_owned(), shard);
        self.shards.push(Stored {
            blake3: blake3.to_owned(),
            bytes,
            source: None,
        });
        shard
    }

    pub(super) fn open(
        &mut self,
        number: u64,
        address: &str,
        shards: Vec<ShardFile>,
        to: Sender<Reply>,
    ) -> Result<UserId, String> {
        let remote = Remote::open(address).map_err(|error| Causes(&error).to_string())?;
        let mut ids = Vec::new();
        for ShardFile {
            file,
            bytes,
            blake3,
        } in shards
        {
            if !is_blake3(&blake3) {
                return Err(format!("{file}: its BLAKE3 is {blake3:?}"));
            }
            let shard = self.number(&blake3, bytes, State::Absent);
            let stored = &mut self.shards[shard];
            if stored.bytes != bytes && stored.source.is_none() {
                // It was found in the folder, and something has cut it short since it arrived.
                self.policy.correct(shard, bytes);
                stored.bytes = bytes;
                self.figures.damaged += 1;
            } else if stored.bytes != bytes {
                return Err(format!(
                    "{file}: two datasets give one BLAKE3 the sizes {} and {bytes}: one of their manifests is wrong",
                    stored.bytes
                ));
            }
            stored.source = Some((remote.clone(), file));
            ids.push(shard);
        }
        let id = self.next_user;
        self.next_user += 1;
        let told = BTreeSet::new();
        self.users.insert(
            id,
            User {
                to,
                number,
                ids,
                told,
                began: 0,
            },
        );
        Ok(id)
    }

    /// Whether an epoch that began after the first `begun` may need a shard.
    pub(super) fn is_needed_since(&self, shard: ShardId, begun: u64) -> bool {
        let mut later = self.users.values().filter(|user| user.began > begun);
        later.any(|user| user.ids.contains(&shard))
    }

    pub(super) fn leave(&mut self, user: UserId) {
        self.users.remove(&user);
        self.policy.leave(user);
    }

    /// Tells every process of the shards that became ready for it.
    pub(super) fn tell_ready(&mut self) {
        for (&id, user) in &mut self.users {
            let ready = self.policy.ready(id);
            let new: Vec<u32> = ready
                .iter()
                .copied()
                .filter(|shard| !user.told.contains(shard))
                .collect();
            user.told = ready.into_iter().collect();
            if !new.is_empty() {
                let _ = user.to.send(Reply::Ready {
                    user: user.number,
                    shards: new,
                });
            }
        }
    }

    pub(super) fn tell_failed(&self, shard: ShardId, message: &str) {
        for user in self.users.values() {
            let places = (0..).zip(&user.ids).filter(|(_, id)| **id == shard);
            for (place, _) in places {
                let _ = user.to.send(Reply::Failed {
                    user: user.number,
                    shard: place,
                    message: message.to_owned(),
                });
            }
        }
    }

    pub(super) fn begin_transfer(&mut self) {
        if self.transfers == 0 {
            self.busy_since = Instant::now();
        }
        self.transfers += 1;
    }

    pub(super) fn end_transfer(&mut self) {
        self.transfers -= 1;
        if self.transfers == 0 {
            self.figures.busy_seconds += self.busy_since.elapsed().as_secs_f64();
        }
    }

    pub(super) fn figures(&self, quota: u64) -> Figures {
        let busy = match self.transfers {
            0 => 0.0,
            _ => self.busy_since.elapsed().as_secs_f64(),
        };
        Figures {
            held_bytes: self.policy.used(),
            quota_bytes: quota,
            busy_seconds: self.figures.busy_seconds + busy,
            keeper: std::process::id(),
            ..self.figures.clone()
        }
    }
}
