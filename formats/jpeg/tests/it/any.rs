//! Any stream that the kit can write and every decoder opens.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use shardmill_jpeg_kit::{Coding, Header, Jpeg, Pattern, Process, SAMPLINGS, Scan, scans};

/// Sizes, samplings, contents, qualities, restart intervals, scans and tables of every kind.
pub(crate) fn jpeg() -> impl Strategy<Value = Jpeg> {
    let sampling =
        select(&SAMPLINGS[..]).prop_filter("two components have no colours", |s| s.len() != 2);
    (still(sampling), form()).prop_map(|(jpeg, form)| form.of(jpeg))
}

/// What is shown, and not how it is coded: one interleaved scan if that is legal, or one for each component.
pub(crate) fn still(
    sampling: impl Strategy<Value = &'static [(u8, u8)]>,
) -> impl Strategy<Value = Jpeg> {
    let pattern = select(vec![
        Pattern::Waves,
        Pattern::Edges,
        Pattern::Noise,
        Pattern::Extremes,
        Pattern::Flat,
    ]);
    let size = (1..=40u16, 1..=40u16);
    let colours = 0..4u8;
    (size, sampling, pattern, any::<u64>(), 1..=100u8, colours).prop_map(
        |((width, height), sampling, pattern, seed, quality, colours)| {
            let mut jpeg = Jpeg::sampled(width, height, sampling)
                .with_quality(quality)
                .painted(pattern, seed);
            jpeg.headers = match (sampling.len(), colours) {
                (4, 0) => vec![Header::Adobe(2)],
                (4, 1) => vec![],
                (4, _) => vec![Header::Adobe(0)],
                (_, 0) => vec![Header::Adobe(0)],
                (_, 1) => vec![Header::Adobe(1)],
                _ => vec![Header::Jfif],
            };
            if !is_one_unit(&jpeg) {
                jpeg.scans = scans::each(sampling.len());
            }
            jpeg
        },
    )
}

/// How coefficients are coded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    script: Script,
    restart: u16,
    coding: Coding,
    longest_eob_run: u16,
}

#[derive(Clone, Copy, Debug)]
enum Script {
    Interleaved,
    Each,
    FirstApart,
    LastApart,
    Banded,
    Refined,
    Random(u64),
}

impl Script {
    fn scans(self, components: usize) -> Vec<Scan> {
        match self {
            Self::Interleaved => scans::interleaved(components),
            Self::Each => scans::each(components),
            Self::FirstApart => scans::first_apart(components),
            Self::LastApart => scans::last_apart(components),
            Self::Banded => scans::banded(components),
            Self::Refined => scans::refined(components),
            Self::Random(seed) => scans::random(components, seed),
        }
    }

    fn process(self) -> Process {
        match self {
            Self::Interleaved | Self::Each | Self::FirstApart | Self::LastApart => {
                Process::Baseline
            }
            Self::Banded | Self::Refined | Self::Random(_) => Process::Progressive,
        }
    }
}

/// Any form.
pub(crate) fn form() -> impl Strategy<Value = Form> {
    let script = prop_oneof![
        Just(Script::Interleaved),
        Just(Script::Each),
        Just(Script::FirstApart),
        Just(Script::LastApart),
        Just(Script::Banded),
        Just(Script::Refined),
        any::<u64>().prop_map(Script::Random),
    ];
    let restart = prop_oneof![3 => Just(0), 2 => 1..=12u16];
    let coding = select(vec![
        Coding::Standard,
        Coding::Missing,
        Coding::Optimised,
        Coding::Long,
        Coding::Flat,
    ]);
    let run = prop_oneof![Just(0x7FFF), 1..=9u16];
    (script, restart, coding, run).prop_map(|(script, restart, coding, longest_eob_run)| Form {
        script,
        restart,
        coding,
        longest_eob_run,
    })
}

impl Form {
    /// The same picture in this form, with scans of single components where others would have too many
    /// blocks in a unit, and optimised tables where the standard's have no codes.
    pub(crate) fn of(self, mut jpeg: Jpeg) -> Jpeg {
        let components = jpeg.frame.components.len();
        jpeg.frame.process = self.script.process();
        jpeg.scans = self.script.scans(components);
        jpeg.coding = self.coding;
        if !jpeg.frame.is_sequential() && matches!(self.coding, Coding::Standard | Coding::Missing)
        {
            jpeg.coding = Coding::Optimised;
        }
        if !is_one_unit(&jpeg) {
            let apart = |scan: &Scan| -> Vec<Scan> {
                let alone = scan.components.iter().map(|&component| Scan {
                    components: vec![component],
                    ..scan.clone()
                });
                alone.collect()
            };
            jpeg.scans = jpeg.scans.iter().flat_map(apart).collect();
        }
        jpeg.scans
            .iter_mut()
            .for_each(|scan| scan.restart = self.restart);
        jpeg.longest_eob_run = self.longest_eob_run;
        jpeg
    }
}

/// Whether all components may be in one scan: at most ten blocks in a unit (T.81, B.2.3).
fn is_one_unit(jpeg: &Jpeg) -> bool {
    let components = jpeg.frame.components.iter();
    let blocks = components.map(|c| usize::from(c.horizontal) * usize::from(c.vertical));
    jpeg.frame.components.len() == 1 || blocks.sum::<usize>() <= 10
}
