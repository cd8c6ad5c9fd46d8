//! Epochs that go on where others stopped, with other batches and other ranks.

use proptest::prelude::*;
use shardmill_formats::Codec;
use shardmill_loader::{
    Advice, Batch, Dataset, LastBatch, Loader, LoaderBuilder, Mix, Order, Output,
};

use crate::{builder, builder_of, dataset, modern_of};

/// Everything that a batch holds of one sample.
#[derive(Clone, Debug, PartialEq)]
struct One {
    pixels: Vec<u8>,
    shift: Option<[u32; 3]>,
    label: i64,
    index: u64,
}

fn ones(batch: &Batch) -> Vec<One> {
    let bytes = batch.image_bytes().len() / batch.len();
    let one = |i: usize| One {
        pixels: batch.image_bytes()[i * bytes..][..bytes].to_vec(),
        shift: batch.color_shift().get(i).map(|s| s.map(f32::to_bits)),
        label: batch.labels()[i],
        index: batch.indices()[i],
    };
    (0..batch.len()).map(one).collect()
}

/// A part of an epoch, read with batches and ranks of its own.
#[derive(Clone, Debug)]
struct Stage {
    /// Samples of a rank's batch.
    share: usize,
    ranks: usize,
    threads: usize,
    /// Batches that are read, at most.
    batches: usize,
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let stage = (1_usize..6, 1_usize..4, 0_usize..3, 0_usize..4);
    let stage = stage.prop_map(|(share, ranks, threads, batches)| Stage {
        share,
        ranks,
        threads,
        batches,
    });
    prop::collection::vec(stage, 1..5)
}

#[derive(Clone, Copy, Debug)]
struct Case {
    samples: u64,
    epoch: u64,
    order: Order,
    draw_every: u64,
    mixed: bool,
    resized: bool,
    output: Output,
    advice: Advice,
}

fn cases() -> impl Strategy<Value = Case> {
    let blocks = Order::Blocks {
        block: 4,
        interleave: 2,
    };
    let order = prop::sample::select(vec![Order::Global, blocks, Order::Sequential]);
    let output = prop::sample::select(vec![Output::F32, Output::Bf16, Output::U8]);
    let advice = prop::sample::select(vec![Advice::Always, Advice::Never]);
    let drawn = (1_u64..60, 0_u64..3, order, 1_u64..5, any::<(bool, bool)>());
    (drawn, output, advice).prop_map(|(drawn, output, advice)| {
        let (samples, epoch, order, draw_every, (mixed, resized)) = drawn;
        Case {
            samples,
            epoch,
            order,
            draw_every,
            mixed,
            resized,
            output,
            advice,
        }
    })
}

impl Case {
    fn builder(&self, dataset: &Dataset) -> LoaderBuilder {
        let part = |samples: u64| {
            let all = (0..samples).map(|i| i * 7 % dataset.len());
            dataset.select(all).unwrap()
        };
        let mix: Mix = if self.mixed {
            let parts = [(part(self.samples), 1), (part(5), 2)];
            Mix::new(parts).unwrap().samples(self.samples)
        } else {
            part(self.samples).into()
        };
        let builder = if self.resized {
            modern_of(mix, 16)
        } else {
            builder_of(mix)
        };
        builder
            .order(self.order)
            .draw_every(self.draw_every)
            .output(self.output)
            .advice(self.advice)
    }
}

fn read(loader: &Loader, epoch: u64, samples: u64, batches: usize) -> Vec<Batch> {
    let epoch = loader.epoch_from(epoch, samples);
    epoch.take(batches).map(Result::unwrap).collect()
}

/// Reads a stage of the epoch from place `from` on, compares it with the whole epoch, and says where
/// it ends.
fn check(case: Case, base: &LoaderBuilder, stage: &Stage, from: u64, whole: &[One]) -> u64 {
    let global = (stage.share * stage.ranks) as u64;
    let last = if stage.ranks == 1 {
        LastBatch::Keep
    } else {
        LastBatch::Pad
    };
    let loaders: Vec<Loader> = (0..stage.ranks)
        .map(|rank| {
            let builder = base.clone().batch_size(global as usize).last_batch(last);
            let builder = builder.rank(rank, stage.ranks).threads(stage.threads);
            builder.build().unwrap()
        })
        .collect();
    let parts: Vec<Vec<Batch>> = loaders
        .iter()
        .map(|loader| read(loader, case.epoch, from, stage.batches))
        .collect();
    let steps = (case.samples - from).div_ceil(global);
    assert_eq!(loaders[0].steps_from(from), steps);
    let read_here = steps.min(stage.batches as u64);
    let mut at = from;
    for step in 0..read_here {
        let after = (at + global).min(case.samples);
        let mut place = at;
        for (part, loader) in parts.iter().zip(&loaders) {
            assert_eq!(part.len() as u64, read_here);
            let batch = &part[step as usize];
            assert_eq!((batch.step(), batch.samples_after()), (step, after));
            assert_eq!(batch.places().start, place);
            assert_eq!(batch.places().count(), batch.len());
            assert_eq!(
                batch.valid() as u64,
                batch.places().filter(|place| *place < case.samples).count() as u64
            );
            let wanted: Vec<One> = batch
                .places()
                .map(|place| whole[(place % case.samples) as usize].clone())
                .collect();
            assert_eq!(ones(batch), wanted, "from {from}, step {step}: {stage:?}");
            let mut sought = loader.epoch_from(case.epoch, from).seek(step);
            assert_eq!(sought.samples_taken(), at);
            let again = sought.next().unwrap().unwrap();
            assert_eq!(sought.samples_taken(), after);
            assert_eq!((again.step(), again.places()), (step, batch.places()));
            assert_eq!(ones(&again), wanted);
            place = batch.places().end;
        }
        assert!(place >= after, "the ranks leave nothing out");
        at = after;
    }
    at
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_epoch_goes_on_with_any_batches_and_ranks(case in cases(), stages in stages()) {
        let (_folder, dataset) = dataset(Codec::Raw);
        let base = case.builder(&dataset);
        let one = base.clone().batch_size(1).threads(0).build().unwrap();
        let whole: Vec<One> = one.epoch(case.epoch).flat_map(|b| ones(&b.unwrap())).collect();
        prop_assert_eq!((whole.len() as u64, one.samples()), (case.samples, case.samples));
        let mut at = 0;
        for stage in &stages {
            at = check(case, &base, stage, at, &whole);
        }
        let rest = Stage { batches: usize::MAX, ..stages[0].clone() };
        at = check(case, &base, &rest, at, &whole);
        prop_assert_eq!(at, case.samples);
        prop_assert_eq!(one.epoch_from(case.epoch, at).len(), 0);
    }
}

#[test]
fn the_last_batch_of_the_rest_is_kept_dropped_or_padded() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let rest = |last, samples| {
        let builder = builder(&dataset).batch_size(4).last_batch(last);
        let loader = builder.build().unwrap();
        let mut epoch = loader.epoch_from(2, samples);
        assert_eq!(loader.steps_from(samples), epoch.len() as u64);
        let batches: Vec<Batch> = epoch.by_ref().map(Result::unwrap).collect();
        let sizes: Vec<_> = batches.iter().map(|b| (b.len(), b.valid())).collect();
        (sizes, epoch.samples_taken(), batches)
    };
    let (sizes, taken, _) = rest(LastBatch::Keep, 13);
    assert_eq!((sizes, taken), (vec![(4, 4), (4, 4), (2, 2)], 23));
    let (sizes, taken, _) = rest(LastBatch::Drop, 13);
    assert_eq!((sizes, taken), (vec![(4, 4), (4, 4)], 21));
    let (sizes, taken, padded) = rest(LastBatch::Pad, 13);
    assert_eq!((sizes, taken), (vec![(4, 4), (4, 4), (4, 2)], 23));
    let (_, _, whole) = rest(LastBatch::Pad, 0);
    assert_eq!(padded[2].places(), 21..25);
    assert_eq!(ones(&padded[2])[2..], ones(&whole[0])[..2]);
    for beyond in [23, 24, u64::MAX] {
        for last in [LastBatch::Keep, LastBatch::Drop, LastBatch::Pad] {
            let (sizes, taken, _) = rest(last, beyond);
            assert_eq!((sizes.len(), taken), (0, 23));
        }
    }
}

#[test]
fn one_batch_of_everything_may_begin_anywhere() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let huge = builder(&dataset).batch_size(usize::MAX).threads(2);
    let loader = huge.advice(Advice::Always).build().unwrap();
    let batches = read(&loader, 0, 20, 9);
    assert_eq!((batches.len(), batches[0].places()), (1, 20..23));
    assert_eq!(batches[0].samples_after(), 23);
}
