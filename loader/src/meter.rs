//! Where the time of an epoch went.

use std::fmt;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use shardmill_formats::Codec;

use crate::settings::Output;

/// What a loader's thread does.
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
pub(crate) struct Spent([Duration; STAGES]);

impl Spent {
    fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }
}

/// A thread's clock. Reading it takes some 25 ns, three times a sample.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Instant,
    spent: Spent,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            spent: Spent::default(),
        }
    }

    /// The time since the last lap went into `stage`.
    pub(crate) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.spent.0[stage as usize] += now - self.last;
        self.last = now;
    }

    /// The time since the last lap belongs to nobody.
    pub(crate) fn skip(&mut self) {
        self.last = Instant::now();
    }

    /// What was spent since it was last taken.
    pub(crate) fn take(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }
}

/// Where the time of an epoch went so far. The stages are sums over the loader's threads, of the
/// batches that the consumer has taken.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Meter {
    /// Reading records and comparing them with their checksums. Pages that a comparison did not
    /// touch before are read by whatever comes next.
    pub read: Duration,
    /// Decoding records, or copying raw ones for a transform of the user's.
    pub decode: Duration,
    /// The user's own transform.
    pub transform: Duration,
    /// Window, reflection, colour, normalisation and layout, and writing the batch.
    pub augment: Duration,
    /// Getting a buffer: its memory is taken where no earlier batch has left any.
    pub buffer: Duration,
    /// Waiting for the consumer to take a batch.
    pub idle: Duration,
    /// Time that the consumer waited for batches.
    pub wait: Duration,
    /// Time from the first call for a batch to the end of the last.
    pub wall: Duration,
    /// Loader threads; 0 if the consumer's own thread makes the batches.
    pub threads: usize,
    /// Batches taken.
    pub batches: u64,
    /// Samples in them.
    pub samples: u64,
    /// Samples in them that took a damaged one's place.
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

/// What limits an epoch, with advice: `Display` gives the line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// What it is.
    pub bottleneck: Bottleneck,
    /// Share of the loader's time, in 0 to 1.
    pub share: f64,
    /// Whether the machine has cores that no loader thread takes.
    pub cores_left: bool,
    /// As of the [`Meter`].
    pub codec: Option<Codec>,
    /// As of the [`Meter`].
    pub output: Option<Output>,
}

impl Meter {
    pub(crate) fn add(&mut self, spent: &Spent) {
        self.read += spent.of(Stage::Read);
        self.decode += spent.of(Stage::Decode);
        self.transform += spent.of(Stage::Transform);
        self.augment += spent.of(Stage::Augment);
        self.buffer += spent.of(Stage::Buffer);
        self.idle += spent.of(Stage::Idle);
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

    /// Share of the time that the consumer waited, in 0 to 1.
    #[must_use]
    pub fn data_wait(&self) -> f64 {
        ratio(self.wait, self.wall)
    }

    /// Time of all loader threads.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.read + self.decode + self.transform + self.augment + self.buffer + self.idle
    }

    /// What limits the epoch: the consumer, if the loader waits for it a larger share of its time
    /// than it waits for the loader; otherwise the stage that takes most.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict_on(available_parallelism().map_or(1, usize::from))
    }

    /// The verdict on a machine of so many cores.
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
    /// What would help against a stage that computes, `own` beside more threads.
    fn help(&self, own: Option<&str>) -> String {
        match (self.cores_left, own) {
            (true, Some(own)) => format!("add threads, or {own}"),
            (true, None) => "add threads".to_owned(),
            (false, Some(own)) => format!("every core has a thread; {own}"),
            (false, None) => "every core has a thread: this is what the machine gives".to_owned(),
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
                 use more memory, blocks in order, or a smaller codec"
            ),
            Bottleneck::Decode => write!(
                f,
                "decode-bound ({percent:.0}%): {}",
                // Raw records are only copied, for a transform of the user's.
                self.help(
                    (self.codec != Some(Codec::Raw))
                        .then_some("re-encode with prep convert --codec raw")
                )
            ),
            Bottleneck::Transform => write!(
                f,
                "transform-bound ({percent:.0}%): {}",
                self.help(Some("make your transform cheaper"))
            ),
            Bottleneck::Augment => write!(
                f,
                "augment-bound ({percent:.0}%): {}",
                self.help(
                    (self.output != Some(Output::U8))
                        .then_some("ask for u8 and finish it on the device")
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
    /// One line: the share of each stage in the loader's time, the consumer's wait, the verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |time| 100.0 * ratio(time, self.total());
        write!(
            f,
            "read {:.1}%, decode {:.1}%, transform {:.1}%, augment {:.1}%, buffer {:.1}%, idle {:.1}%; \
             data wait {:.2}%; {}",
            percent(self.read),
            percent(self.decode),
            percent(self.transform),
            percent(self.augment),
            percent(self.buffer),
            percent(self.idle),
            100.0 * self.data_wait(),
            self.verdict()
        )
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
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_verdict_names_who_is_waited_for() {
        let mut meter = Meter {
            threads: 2,
            wall: ms(100),
            wait: ms(1),
            idle: ms(166),
            decode: ms(20),
            augment: ms(14),
            ..Meter::default()
        };
        assert_eq!(
            meter.verdict().to_string(),
            "consumer-bound: loader idle 83%"
        );
        (meter.wait, meter.idle, meter.decode) = (ms(90), ms(0), ms(186));
        assert_eq!(
            meter.verdict_on(4).to_string(),
            "decode-bound (93%): add threads, or re-encode with prep convert --codec raw"
        );
        assert!((meter.data_wait() - 0.9).abs() < 1e-9);
        (meter.read, meter.decode) = (ms(150), ms(36));
        assert_eq!(meter.verdict().bottleneck, Bottleneck::Read);
        // Without threads of its own a loader cannot wait for the consumer.
        (meter.threads, meter.idle) = (0, ms(1000));
        assert_eq!(meter.verdict().bottleneck, Bottleneck::Read);
    }

    #[test]
    fn advice_is_what_can_be_done() {
        let mut meter = Meter {
            threads: 4,
            wall: ms(100),
            wait: ms(90),
            augment: ms(400),
            output: Some(Output::U8),
            codec: Some(Codec::Raw),
            ..Meter::default()
        };
        let told = |meter: &Meter, cores| {
            let text = meter.verdict_on(cores).to_string();
            text.split_once("%): ").unwrap().1.to_owned()
        };
        // The batches are u8 already, and a fifth core is there or is not.
        assert_eq!(told(&meter, 5), "add threads");
        let all = "every core has a thread: this is what the machine gives";
        assert_eq!(told(&meter, 4), all);
        meter.output = Some(Output::F32);
        let finish = "ask for u8 and finish it on the device";
        assert_eq!(told(&meter, 5), format!("add threads, or {finish}"));
        assert_eq!(
            told(&meter, 2),
            format!("every core has a thread; {finish}")
        );
        // A transform has raw records copied, and no codec is faster.
        (meter.augment, meter.decode) = (ms(0), ms(400));
        assert_eq!(told(&meter, 4), all);
    }

    #[test]
    fn time_goes_to_the_stage_that_ends() {
        let mut clock = Clock::start();
        std::thread::sleep(ms(20));
        clock.lap(Stage::Decode);
        std::thread::sleep(ms(10));
        clock.skip();
        clock.lap(Stage::Augment);
        let mut meter = Meter::default();
        meter.add(&clock.take());
        meter.add(&clock.take());
        assert!(meter.decode >= ms(20) && meter.decode < ms(2000), "{meter}");
        assert!(meter.augment < ms(8), "{meter}");
        assert_eq!(meter.total(), meter.decode + meter.augment);
    }
}
