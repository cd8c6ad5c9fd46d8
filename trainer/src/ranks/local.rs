//! Ranks that are threads of one process: the twin of MPI, for tests.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::error::RankError;
use super::link::Link;

enum Message {
    Bytes(Vec<u8>),
    End(String),
}

/// A link over channels between threads.
pub struct LocalLink {
    rank: usize,
    peers: Vec<Sender<(usize, Message)>>,
    inbox: Receiver<(usize, Message)>,
    /// What has come from each rank and was not asked for yet: one may be an exchange ahead.
    waiting: Vec<VecDeque<Vec<u8>>>,
}

/// The links of `size` threads, by rank.
#[must_use]
pub fn local_links(size: usize) -> Vec<LocalLink> {
    let (peers, inboxes): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    let link = |(rank, inbox)| LocalLink {
        rank,
        peers: peers.clone(),
        inbox,
        waiting: (0..size).map(|_| VecDeque::new()).collect(),
    };
    inboxes.into_iter().enumerate().map(link).collect()
}

impl LocalLink {
    fn send(&self, to: usize, message: Message) {
        // A rank that is gone is missed when its next message is waited for.
        let _ = self.peers[to].send((self.rank, message));
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.rank;
        (0..self.peers.len()).filter(move |&rank| rank != own)
    }
}

impl Link for LocalLink {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.peers.len()
    }

    fn name(&self, rank: usize) -> String {
        format!("rank {rank}")
    }

    fn exchange(
        &mut self,
        outgoing: &[&[u8]],
        incoming: &mut [&mut [u8]],
        timeout: Duration,
    ) -> Result<(), RankError> {
        for rank in self.others() {
            self.send(rank, Message::Bytes(outgoing[rank].to_vec()));
        }
        loop {
            let missing = self.others().filter(|&rank| self.waiting[rank].is_empty());
            let missing: Vec<usize> = missing.collect();
            if missing.is_empty() {
                break;
            }
            match self.inbox.recv_timeout(timeout) {
                Ok((from, Message::Bytes(bytes))) => self.waiting[from].push_back(bytes),
                Ok((from, Message::End(why))) => {
                    let rank = self.name(from);
                    return Err(RankError::Ended { rank, why });
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(RankError::Silent {
                        ranks: missing.iter().map(|&rank| self.name(rank)).collect(),
                        seconds: timeout.as_secs(),
                    });
                }
            }
        }
        for rank in self.others() {
            let bytes = self.waiting[rank].pop_front().expect("none is missing");
            incoming[rank].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn end(&mut self, why: &str) {
        for rank in self.others() {
            self.send(rank, Message::End(why.to_owned()));
        }
    }
}
