//! Ranks that MPI connects.
//!
//! Messages are sent and received without blocking and asked for until a deadline, so that a rank that is gone or stands
//! still ends the run. MPI cannot take back a message that is under way: a link that fails ends the process.

use std::thread;
use std::time::{Duration, Instant};

use mpi::environment::{Universe, processor_name};
use mpi::request::{Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};
use mpi::{Tag, Threading};
use shardmill_formats::{Causes, errln};

use super::error::RankError;
use super::link::Link;

/// What an exchange carries.
const DATA: Tag = 1;

/// Why a rank ends.
const END: Tag = 2;

/// Bytes of a host's name, at most.
const NAME: usize = 256;

/// Bytes of the reason why a rank ends, at most: MPI sends so few without waiting for who receives them.
const REASON: usize = 2048;

/// How long a rank that ends waits for rank 0, which prints why.
const GRACE: Duration = Duration::from_secs(5);

/// How long a rank looks for messages without a pause.
const SPIN: Duration = Duration::from_micros(200);

/// The pause after that.
const PAUSE: Duration = Duration::from_micros(50);

/// A link over MPI. It belongs to the thread that opened it.
pub(super) struct MpiLink {
    world: SimpleCommunicator,
    names: Vec<String>,
    /// Ends MPI when it is dropped, so it comes last.
    _universe: Universe,
}

/// Messages under way, each with the rank at its other end.
struct UnderWay<'a, S: Scope<'a>, B: ?Sized>(Vec<(usize, Request<'a, B, S>)>);

impl<'a, S: Scope<'a>, B: ?Sized> UnderWay<'a, S, B> {
    /// Forgets those that have arrived, and returns whether there were any.
    fn advance(&mut self) -> bool {
        let before = self.0.len();
        let requests = std::mem::take(&mut self.0).into_iter();
        self.0 = requests
            .filter_map(|(rank, request)| Some((rank, request.test().err()?)))
            .collect();
        self.0.len() < before
    }

    fn ranks(&self) -> Vec<usize> {
        self.0.iter().map(|(rank, _)| *rank).collect()
    }
}

impl MpiLink {
    /// Starts MPI and learns the names of the other ranks' hosts.
    pub(super) fn open(timeout: Duration) -> Result<Self, RankError> {
        let universe = mpi::initialize_with_threading(Threading::Funneled);
        let (universe, _) = universe.expect("a process starts MPI once");
        let world = universe.world();
        let mut link = Self {
            names: (0..world.size())
                .map(|rank| format!("rank {rank}"))
                .collect(),
            world,
            _universe: universe,
        };
        let mut own = processor_name().unwrap_or_default().into_bytes();
        own.resize(NAME, 0);
        let mut hosts = vec![own.clone(); link.size()];
        let mut incoming: Vec<&mut [u8]> = hosts.iter_mut().map(Vec::as_mut_slice).collect();
        link.exchange(&vec![&own[..]; incoming.len()], &mut incoming, timeout)?;
        for (name, host) in link.names.iter_mut().zip(&hosts) {
            let host = String::from_utf8_lossy(host);
            let host = host.trim_end_matches('\0');
            *name = format!("{name} (host {host})");
        }
        Ok(link)
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let (own, size) = (self.rank(), self.size());
        (0..size).filter(move |&rank| rank != own)
    }

    /// The rank and the reason of a rank that has told that it ends.
    fn ended(&self) -> Option<(usize, String)> {
        let any = self.world.any_process();
        let found = any.immediate_matched_probe_with_tag(END)?;
        let (why, status) = found.matched_receive_vec::<u8>();
        let rank = usize::try_from(status.source_rank()).unwrap_or_default();
        Some((rank, String::from_utf8_lossy(&why).into_owned()))
    }

    /// Tells all ranks why this one ends, prints it on rank 0, or here if rank 0 prints something else or nothing, and
    /// ends all processes.
    fn give_up(&self, why: &str) -> ! {
        let bytes = why.as_bytes();
        let bytes = &bytes[..bytes.len().min(REASON)];
        let (rank, is_first) = (self.rank(), self.rank() == 0);
        if is_first {
            errln!("error: {why}");
        }
        mpi::request::scope(|scope| {
            let send = |to: usize| {
                let process = self.world.process_at_rank(to as i32);
                (to, process.immediate_send_with_tag(scope, bytes, END))
            };
            let mut sends = UnderWay(self.others().map(send).collect());
            let clock = Instant::now();
            let mut is_printed = is_first;
            while clock.elapsed() < GRACE {
                sends.advance();
                let first_knows = || match self.ended() {
                    Some((0, printed)) => Some(printed),
                    _ => None,
                };
                if is_first && sends.0.is_empty() {
                    break;
                }
                if !is_first && let Some(printed) = first_knows() {
                    // Rank 0 has printed why it ends: this, or something of its own.
                    let tail = String::from_utf8_lossy(bytes);
                    is_printed = printed.contains(&*tail);
                    break;
                }
                thread::sleep(PAUSE);
            }
            if !is_printed {
                errln!("error: {}: {why}", self.names[rank]);
            }
            self.world.abort(1)
        })
    }
}

impl Link for MpiLink {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn name(&self, rank: usize) -> String {
        self.names[rank].clone()
    }

    /// Does not return an error, but ends the process.
    fn exchange(
        &mut self,
        outgoing: &[&[u8]],
        incoming: &mut [&mut [u8]],
        timeout: Duration,
    ) -> Result<(), RankError> {
        let own = self.rank();
        mpi::request::scope(|scope| {
            let incoming = incoming.iter_mut().enumerate();
            let mut receives = UnderWay(
                incoming
                    .filter(|(rank, _)| *rank != own)
                    .map(|(rank, buffer)| {
                        let process = self.world.process_at_rank(rank as i32);
                        let buffer: &mut [u8] = buffer;
                        let request = process.immediate_receive_into_with_tag(scope, buffer, DATA);
                        (rank, request)
                    })
                    .collect(),
            );
            let send = |to: usize| {
                let process = self.world.process_at_rank(to as i32);
                let request = process.immediate_send_with_tag(scope, outgoing[to], DATA);
                (to, request)
            };
            let mut sends = UnderWay(self.others().map(send).collect());
            let begin = Instant::now();
            let mut moved = begin;
            while !(receives.0.is_empty() && sends.0.is_empty()) {
                if receives.advance() | sends.advance() {
                    moved = Instant::now();
                    continue;
                }
                if let Some((rank, why)) = self.ended() {
                    let rank = self.name(rank);
                    self.give_up(&RankError::Ended { rank, why }.to_string());
                }
                if moved.elapsed() > timeout {
                    let missing = match receives.ranks() {
                        ranks if ranks.is_empty() => sends.ranks(),
                        ranks => ranks,
                    };
                    let silent = RankError::Silent {
                        ranks: missing.iter().map(|&rank| self.name(rank)).collect(),
                        seconds: timeout.as_secs(),
                    };
                    self.give_up(&Causes(&silent).to_string());
                }
                if begin.elapsed() > SPIN {
                    thread::sleep(PAUSE);
                } else {
                    thread::yield_now();
                }
            }
        });
        Ok(())
    }

    fn end(&mut self, why: &str) {
        self.give_up(why)
    }
}
