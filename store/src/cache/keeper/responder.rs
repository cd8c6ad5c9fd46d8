//! What the keeper does when a process asks for something.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use shardmill_formats::size;

use super::super::fetch;
use super::super::folder::Folder;
use super::super::policy::{ShardId, State, UserId};
use super::super::protocol::{Reply, Request, VERSION};
use super::table::Table;

/// What answers processes, besides the table.
pub(super) struct Responder<'a> {
    pub(super) folder: &'a Folder,
    /// Bytes that may be held.
    pub(super) quota: u64,
}

impl Responder<'_> {
    /// Does what a process asks for. `users` are its datasets, by its own numbers.
    pub(super) fn answer(
        &self,
        table: &mut Table,
        users: &mut BTreeMap<u64, UserId>,
        to: &Sender<Reply>,
        request: Request,
    ) -> Option<Reply> {
        match request {
            Request::Hello { version, quota } => Some(self.greet(version, quota)),
            Request::Ping => Some(Reply::Pong),
            Request::Figures => Some(Reply::Figures(table.figures(self.quota))),
            Request::Open {
                user,
                address,
                shards,
            } => match table.open(user, &address, shards, to.clone()) {
                Ok(id) => {
                    if let Some(earlier) = users.insert(user, id) {
                        table.leave(earlier);
                    }
                    None
                }
                Err(message) => Some(refused(user, message)),
            },
            Request::Begin {
                user,
                course,
                group,
            } => {
                let id = users.get(&user).copied();
                let Some((id, known)) = id.and_then(|id| Some((id, table.users.get(&id)?))) else {
                    return Some(refused(user, "its dataset could not be opened".to_owned()));
                };
                let ids = known.ids.clone();
                if !course.is_valid(ids.len()) {
                    return Some(refused(
                        user,
                        "the order of its shards makes no sense".to_owned(),
                    ));
                }
                let bytes: Vec<u64> = ids.iter().map(|&id| table.shards[id].bytes).collect();
                let (own, others) = (
                    course.open_at_once(&bytes),
                    table.policy.open_at_once(id, group.as_deref()),
                );
                if own + others > self.quota {
                    table.policy.leave(id);
                    return Some(refused(user, self.too_small(own, others)));
                }
                table.policy.begin(id, ids, course, group);
                table.begun += 1;
                let begun = table.begun;
                let known = table.users.get_mut(&id)?;
                known.told.clear();
                known.began = begun;
                Some(Reply::Begun { user })
            }
            Request::At { user, set } => {
                table.policy.advance(*users.get(&user)?, set);
                None
            }
            Request::End { user } => {
                table.policy.end_epoch(*users.get(&user)?);
                None
            }
            Request::Leave { user } => {
                table.leave(users.remove(&user)?);
                None
            }
            Request::Recheck { user, shard } => {
                let known = table.users.get_mut(users.get(&user)?)?;
                let id = *known.ids.get(shard as usize)?;
                known.told.remove(&shard);
                self.recheck(table, id);
                None
            }
        }
    }

    fn greet(&self, version: u32, quota: Option<u64>) -> Reply {
        let process = std::process::id();
        let folder = self.folder.given().display();
        let message = if version != VERSION {
            format!(
                "process {process} keeps the cache {folder} with another version of Shardmill: use the same version, \
                 or another --cache-dir"
            )
        } else if let Some(other) = quota.filter(|quota| *quota != self.quota) {
            format!(
                "process {process} keeps the cache {folder} with --cache-bytes {}; {other} was given: give the same, \
                 or another --cache-dir",
                self.quota
            )
        } else {
            let quota = self.quota;
            return Reply::Welcome { process, quota };
        };
        Reply::Refused {
            user: None,
            message,
        }
    }

    /// Why what is open at once has no room.
    fn too_small(&self, own: u64, others: u64) -> String {
        let taken = match others {
            0 => String::new(),
            _ => format!(" beside {} of other datasets that are open", size(others)),
        };
        format!(
            "the cache {} may hold {} ({} bytes), and the shards that are in use at the same time take {} ({own} \
             bytes){taken}: give --cache-bytes {} or more, or an order that uses fewer shards at once, such as \
             --order shards:1",
            self.folder.given().display(),
            size(self.quota),
            self.quota,
            size(own),
            own + others
        )
    }

    /// Compares a shard with its BLAKE3, and fetches it again if it is not the same or not there.
    fn recheck(&self, table: &mut Table, shard: ShardId) {
        if table.policy.state(shard) != State::Present {
            return;
        }
        let stored = &table.shards[shard];
        if !fetch::is_whole(
            &self.folder.shard(&stored.blake3),
            stored.bytes,
            &stored.blake3,
        ) {
            let _ = self.folder.remove(&stored.blake3);
            table.figures.damaged += 1;
            table.policy.set(shard, State::Absent);
        }
    }
}

fn refused(user: u64, message: String) -> Reply {
    let user = Some(user);
    Reply::Refused { user, message }
}
