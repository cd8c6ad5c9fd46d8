//! Orders, parts of datasets, mixes, and a transform of the user's.

use std::collections::BTreeSet;

use shardmill_formats::{Causes, Codec};
use shardmill_loader::{Advice, Batch, Dataset, Loader, Mix, Order, Policy};

use crate::{builder, dataset, kit};

const BLOCKS: Order = Order::Blocks {
    block: 4,
    interleave: 2,
};

fn indices(loader: &Loader, epoch: u64) -> Vec<u64> {
    let batches = loader.epoch(epoch).map(Result::unwrap);
    batches.flat_map(|batch| batch.indices().to_vec()).collect()
}

fn bits(batch: &Batch) -> Vec<u32> {
    batch.images_f32().iter().map(|v| v.to_bits()).collect()
}

#[test]
fn blocks_give_every_sample_once_for_any_threads_and_advice_and_from_any_step() {
    let (_folder, dataset) = dataset(Codec::Zstd);
    let with = |threads, advice| {
        let builder = builder(&dataset).order(BLOCKS).threads(threads);
        builder.advice(advice).build().unwrap()
    };
    let oracle = with(0, Advice::Never);
    let all: Vec<_> = oracle.epoch(1).map(|b| bits(&b.unwrap())).collect();
    for threads in [1, 2, 8] {
        for advice in [Advice::Never, Advice::Always, Advice::Auto] {
            let loader = with(threads, advice);
            let found: Vec<_> = loader.epoch(1).map(|b| bits(&b.unwrap())).collect();
            assert_eq!(found, all);
            for (step, wanted) in all.iter().enumerate() {
                let batch = loader.epoch(1).seek(step as u64).next().unwrap().unwrap();
                assert_eq!(&bits(&batch), wanted);
            }
        }
    }
    let order = indices(&oracle, 1);
    assert_ne!(order, indices(&oracle, 2));
    let distinct: BTreeSet<_> = order.iter().collect();
    assert_eq!((order.len(), distinct.len()), (kit::SAMPLES, kit::SAMPLES));
    // Two batches are a group of two blocks, unless one of them is short.
    let blocks: BTreeSet<_> = order[..7].iter().map(|i| i / 4).collect();
    assert!(blocks.len() <= 2 || order[..7].contains(&20), "{order:?}");
}

#[test]
fn expected_classes_are_what_epochs_show_on_average() {
    let (_folder, dataset) = dataset(Codec::Raw);
    // The same images as if they lay class by class.
    let mut by_class: Vec<u64> = (0..dataset.len()).collect();
    by_class.sort_by_key(|&i| dataset.label(i));
    let sorted = dataset.select(by_class).unwrap();
    let mut means = Vec::new();
    for order in [Order::Global, BLOCKS] {
        let loader = Loader::builder(sorted.clone());
        let loader = loader.batch_size(5).order(order).threads(0);
        let loader = loader.policy(Policy::Center { crop: 1 }).build().unwrap();
        let (mut expected, mut shown) = (0.0, 0.0);
        let epochs = 2000;
        for epoch in 0..epochs {
            expected += loader.expected_classes(epoch).unwrap();
            let order = indices(&loader, epoch);
            let distinct = |batch: &[u64]| {
                let labels = batch.iter().map(|&i| sorted.label(i));
                labels.collect::<BTreeSet<_>>().len() as f64
            };
            let batches = order.chunks(5);
            shown += batches.clone().map(distinct).sum::<f64>() / batches.count() as f64;
        }
        let (expected, shown) = (
            expected / f64::from(epochs as u32),
            shown / f64::from(epochs as u32),
        );
        // The spread of a batch is below 1, so five standard errors are below 0.1.
        assert!(
            (expected - shown).abs() < 0.05,
            "{order:?}: {expected} and {shown}"
        );
        means.push(expected);
    }
    assert!(
        means[1] < means[0] - 0.3,
        "blocks of one class lose classes: {means:?}"
    );
    let sequential = Loader::builder(sorted.clone()).batch_size(23);
    let sequential = sequential.order(Order::Sequential);
    let sequential = sequential
        .policy(Policy::Center { crop: 1 })
        .build()
        .unwrap();
    assert_eq!(sequential.expected_classes(0), Some(kit::CLASSES as f64));
}

#[test]
fn parts_share_the_records_and_count_for_themselves() {
    let (_folder, dataset) = dataset(Codec::Jpeg);
    let class = dataset.filter_classes(&[1]);
    assert!(class.len() > 1 && class.len() < dataset.len());
    for i in 0..class.len() {
        assert_eq!(class.label(i), 1);
        assert_eq!(class.key(i), dataset.key(class.origin(i)));
    }
    let part = class.select([1, 0, 1]).unwrap();
    assert_eq!(part.len(), 3);
    let (mut here, mut there) = (vec![0; kit::SHAPE.bytes()], vec![0; kit::SHAPE.bytes()]);
    for (i, origin) in [1, 0, 1].map(|i| class.origin(i)).into_iter().enumerate() {
        part.read(i as u64, &mut here).unwrap();
        dataset.read(origin, &mut there).unwrap();
        assert_eq!(here, there);
    }
    let loader = builder(&part).threads(2).build().unwrap();
    let batch = loader.epoch(0).next().unwrap().unwrap();
    assert_eq!((batch.len(), batch.labels()), (3, &[1_i64; 3][..]));
    for (i, index) in batch.indices().iter().enumerate() {
        assert_eq!(batch.key(i), part.key(*index));
    }
    let error = class.select([class.len()]).unwrap_err().to_string();
    assert!(error.contains("below"), "{error}");
    let nothing = dataset.filter_classes(&[]);
    assert!(nothing.is_empty() && builder(&nothing).build().is_err());
}

fn halves(dataset: &Dataset) -> (Dataset, Dataset) {
    let split = dataset.len() / 3;
    let first = dataset.select(0..split).unwrap();
    (first, dataset.select(split..dataset.len()).unwrap())
}

#[test]
fn a_mix_keeps_its_weights_and_uses_every_sample_equally() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let (small, large) = halves(&dataset);
    let (few, many) = (small.len() as usize, large.len() as usize);
    let mix = Mix::new([(small, 3), (large, 1)]).unwrap().samples(500);
    let with = |threads, order| {
        let builder = Loader::builder(mix.clone()).batch_size(7).threads(threads);
        let policy = Policy::Center { crop: 1 };
        builder.policy(policy).order(order).build().unwrap()
    };
    for order in [Order::Global, BLOCKS, Order::Sequential] {
        let loader = with(0, order);
        let mut counts = vec![0_u32; few + many];
        for epoch in 0..20 {
            let found = indices(&loader, epoch);
            assert_eq!(found.len(), 500);
            assert_eq!(found, indices(&with(3, order), epoch));
            found.iter().for_each(|&i| counts[i as usize] += 1);
            let of_small = found.iter().filter(|&&i| (i as usize) < few).count();
            // Six standard deviations of drawing without putting back from a list of 1,024 turns.
            assert!((of_small as i64 - 375).abs() < 42, "{of_small}");
        }
        for part in [&counts[..few], &counts[few..]] {
            let (least, most) = (part.iter().min().unwrap(), part.iter().max().unwrap());
            assert!(most - least <= 1, "{part:?}");
        }
        let expected = 20.0 * 500.0 * 0.75;
        let found = f64::from(counts[..few].iter().sum::<u32>());
        assert!(
            (found / expected - 1.0).abs() < 0.12,
            "{found} of {expected}"
        );
    }
    let batch = with(2, Order::Global).epoch(0).next().unwrap().unwrap();
    for (i, &index) in batch.indices().iter().enumerate() {
        let (part, sample) = mix.locate(index);
        assert_eq!(batch.key(i), mix.datasets()[part].key(sample));
        assert_eq!(batch.labels()[i], mix.label(index));
    }
    assert_eq!(with(0, Order::Global).expected_classes(0), None);
}

#[test]
fn a_mix_refuses_what_does_not_go_together() {
    let (_raw_folder, raw) = dataset(Codec::Raw);
    let (_jpeg_folder, jpeg) = dataset(Codec::Jpeg);
    let says = |parts: Vec<(Dataset, u32)>, word: &str| {
        let error = Mix::new(parts).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    says(
        vec![(raw.clone(), 1), (jpeg, 1)],
        "prep convert --codec raw",
    );
    says(vec![(raw.clone(), 0)], "weight");
    says(vec![(raw.clone(), u32::MAX)], "smaller");
    says(vec![(raw.select([]).unwrap(), 1)], "empty");
    says(Vec::new(), "at least one");
}

#[test]
fn a_transform_changes_pixels_and_labels_by_numbers_of_the_samples_own() {
    for codec in [Codec::Raw, Codec::Zstd] {
        let (_folder, dataset) = dataset(codec);
        let with = |threads| {
            let builder = builder(&dataset)
                .threads(threads)
                .policy(Policy::Center { crop: 20 });
            let builder = builder.normalize(shardmill_loader::Normalize::none());
            let loader = builder.transform(|sample| {
                let value = (sample.index() as u8) ^ sample.random().below(256) as u8;
                assert!(sample.key().ends_with(&format!("/{}.JPEG", sample.index())));
                sample.pixels().fill(value);
                sample.set_label(sample.label() + 100);
                Ok(())
            });
            loader.build().unwrap()
        };
        let all = |threads| {
            let batches = with(threads).epoch(4).map(|b| {
                let b = b.unwrap();
                (bits(&b), b.labels().to_vec())
            });
            batches.collect::<Vec<_>>()
        };
        let oracle = all(0);
        assert_eq!(oracle, all(3));
        let values: BTreeSet<u32> = oracle.iter().flat_map(|(v, _)| v.clone()).collect();
        // One value for each sample; some of 23 out of 256 may agree.
        assert!(
            (15..=kit::SAMPLES).contains(&values.len()),
            "{}",
            values.len()
        );
        assert!(
            oracle
                .iter()
                .flat_map(|(_, l)| l)
                .all(|label| *label >= 100)
        );
        // The map itself is not written to.
        let mut rgb = vec![0; kit::SHAPE.bytes()];
        dataset.read(3, &mut rgb).unwrap();
        assert_eq!(rgb, kit::pixels(3));
        let failing = builder(&dataset).threads(2).transform(|sample| {
            if sample.index() == 5 {
                Err("not this one".into())
            } else {
                Ok(())
            }
        });
        let failing = failing.build().unwrap();
        let error = failing.epoch(0).find_map(Result::err).unwrap();
        let error = Causes(&error).to_string();
        assert!(
            error.contains("sample 5") && error.contains("not this one"),
            "{error}"
        );
    }
}
