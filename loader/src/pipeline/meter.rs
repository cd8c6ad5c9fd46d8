//! Where the time of an epoch goes.

use std::fmt;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use shardmill_formats::Codec;

use crate::settings::Output;

/// What a loader thread spends its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Read,
    Decode,
    Transform,
    Augment,
    Buffer,
    Idle,
}

const STAGES: usize = 6;

/// Time in each stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StageTimes([Duration; STAGES]);

impl StageTimes {
    fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }
}

/// A thread's clock. A reading takes about 25 ns, three times a sample.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Instant,
    times: StageTimes,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            times: StageTimes::default(),
        }
    }

    /// Counts the time since the last lap for `stage`.
    pub(crate) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.times.0[stage as usize] += now - self.last;
        self.last = now;
    }

    /// Begins a lap without counting the time since the last one.
    pub(crate) fn restart(&mut self) {
        self.last = Instant::now();
    }

    /// The times since the last call.
    pub(crate) fn drain(&mut self) -> StageTimes {
        std::mem::take(&mut self.times)
    }
}

/// Where the time of an epoch has gone so far. Stages are sums over the loader's threads, for the
/// batches that the consumer has received.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Meter {
    /// Reading records and comparing them with their checksums. Pages that no comparison touches are
    /// read by the stage that comes next.
    pub read: Duration,
    /// Decoding records, or copying raw ones for the user's transform.
    pub decode: Duration,
    /// The user's own transform.
    pub transform: Duration,
    /// Window, reflection, colour, normalisation and layout, and writing the batch.
    pub augment: Duration,
    /// Getting a buffer; it is allocated if no earlier batch has left one.
    pub buffer: Duration,
    /// Waiting until the consumer receives a batch.
    pub idle: Duration,
    /// Time that the consumer waited for batches.
    pub wait: Duration,
    /// Time from the beginning of the first call for a batch to the end of the last.
    pub wall: Duration,
    /// Loader threads; 0 if the consumer's thread makes the batches.
    pub threads: usize,
    /// Batches received.
    pub batches: u64,
    /// Samples in them.
    pub samples: u64,
    /// Samples in them that replaced damaged ones.
    pub replaced: u64,
    /// Encoding of the records; `None` if nothing was metered.
    pub codec: Option<Codec>,
    /// Type of the batches' values; `None` if nothing was metered.
    pub output: Option<Output>,
}

/// What limits an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bottleneck {
    /// The loader waits for the consumer.
    Consumer,
    /// Reading and comparing records.
    Read,
    /// Decoding.
    Decode,
    /// The user's own transform.
    Transform,
    /// The kernels and memory.
    Augment,
    /// Memory for new batches.
    Buffer,
}

impl Bottleneck {
    /// One word: `consumer`, or the stage as [`Meter::stages`] names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Read => "read",
            Self::Decode => "decode",
            Self::Transform => "transform",
            Self::Augment => "augment",
            Self::Buffer => "buffer",
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What limits an epoch; `Display` prints it with advice on one line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// What it is.
    pub bottleneck: Bottleneck,
    /// Share of the loader's time, 0 to 1.
    pub share: f64,
    /// Whether the machine has more cores than loader threads.
    pub cores_left: bool,
    /// As in the [`Meter`].
    pub codec: Option<Codec>,
    /// As in the [`Meter`].
    pub output: Option<Output>,
}

impl Meter {
    pub(crate) fn accumulate(&mut self, times: &StageTimes) {
        self.read += times.of(Stage::Read);
        self.decode += times.of(Stage::Decode);
        self.transform += times.of(Stage::Transform);
        self.augment += times.of(Stage::Augment);
        self.buffer += times.of(Stage::Buffer);
        self.idle += times.of(Stage::Idle);
    }

    /// Adds the times and counts of another epoch.
    pub fn merge(&mut self, other: &Self) {
        self.read += other.read;
        self.decode += other.decode;
        self.transform += other.transform;
        self.augment += other.augment;
        self.buffer += other.buffer;
        self.idle += other.idle;
        self.wait += other.wait;
        self.wall += other.wall;
        self.threads = self.threads.max(other.threads);
        self.batches += other.batches;
        self.samples += other.samples;
        self.replaced += other.replaced;
        self.codec = self.codec.or(other.codec);
        self.output = self.output.or(other.output);
    }

    /// Share of the time that the consumer waited, 0 to 1.
    #[must_use]
    pub fn data_wait(&self) -> f64 {
        ratio(self.wait, self.wall)
    }

    /// The stages with their names, in the order in which a sample passes through them.
    #[must_use]
    pub const fn stages(&self) -> [(&'static str, Duration); 6] {
        [
            ("read", self.read),
            ("decode", self.decode),
            ("transform", self.transform),
            ("augment", self.augment),
            ("buffer", self.buffer),
            ("idle", self.idle),
        ]
    }

    /// Time of all loader threads.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.stages().iter().map(|(_, time)| *time).sum()
    }

    /// Samples per second of [`wall`](Self::wall); 0 before the first batch.
    #[must_use]
    pub fn samples_per_second(&self) -> f64 {
        if self.wall.is_zero() {
            0.0
        } else {
            self.samples as f64 / self.wall.as_secs_f64()
        }
    }

    /// What limits the epoch: the consumer, if the loader waits for the consumer a larger share of its
    /// time than the consumer waits for the loader; otherwise the longest stage.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict_on(available_parallelism().map_or(1, usize::from))
    }

    /// The verdict on a machine with this number of cores.
    fn verdict_on(&self, cores: usize) -> Verdict {
        let verdict = |bottleneck, share| Verdict {
            bottleneck,
            share,
            cores_left: self.threads < cores,
            codec: self.codec,
            output: self.output,
        };
        let idle = ratio(self.idle, self.total());
        if self.threads > 0 && idle > self.data_wait() {
            return verdict(Bottleneck::Consumer, idle);
        }
        let stages = [
            (Bottleneck::Read, self.read),
            (Bottleneck::Decode, self.decode),
            (Bottleneck::Transform, self.transform),
            (Bottleneck::Augment, self.augment),
            (Bottleneck::Buffer, self.buffer),
        ];
        let longest = stages.into_iter().max_by_key(|(_, time)| *time);
        let (bottleneck, time) = longest.expect("there are stages");
        verdict(bottleneck, ratio(time, self.total()))
    }
}

impl Verdict {
    /// Advice against a stage that computes: more threads, and `own`, its own remedy.
    fn help(&self, own: Option<&str>) -> String {
        match (self.cores_left, own) {
            (true, Some(own)) => format!("add threads, or {own}"),
            (true, None) => "add threads".to_owned(),
            (false, Some(own)) => format!("every core has a thread; {own}"),
            (false, None) => "every core has a thread: the machine cannot do more".to_owned(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.share * 100.0;
        match self.bottleneck {
            Bottleneck::Consumer => write!(f, "consumer-bound: loader idle {percent:.0}%"),
            Bottleneck::Read => write!(
                f,
                "read-bound ({percent:.0}% of the loader's time): if records come from the disk, \
                 use more memory, the order of blocks, or a smaller codec"
            ),
            Bottleneck::Decode => write!(
                f,
                "decode-bound ({percent:.0}%): {}",
                // Raw records are only copied, for the user's transform.
                self.help(
                    (self.codec != Some(Codec::Raw))
                        .then_some("re-encode with prep convert --codec raw")
                )
            ),
            Bottleneck::Transform => write!(
                f,
                "transform-bound ({percent:.0}%): {}",
                self.help(Some("make your transform faster"))
            ),
            Bottleneck::Augment => write!(
                f,
                "augment-bound ({percent:.0}%): {}",
                self.help(
                    (self.output != Some(Output::U8))
                        .then_some("choose u8 and normalise on the device")
                )
            ),
            Bottleneck::Buffer => write!(
                f,
                "memory-bound ({percent:.0}%): batches are kept longer than the loader expects; drop \
                 each before the next"
            ),
        }
    }
}

impl fmt::Display for Meter {
    /// One line: each stage's share of the loader's time, the consumer's wait, and the verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        for (i, (name, time)) in self.stages().into_iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {:.1}%", 100.0 * ratio(time, total))?;
        }
        let wait = 100.0 * self.data_wait();
        write!(f, "; data wait {wait:.2}%; {}", self.verdict())
    }
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        part.as_secs_f64() / whole.as_secs_f64()
    }
}

#[cfg(test)]
mod tests;
