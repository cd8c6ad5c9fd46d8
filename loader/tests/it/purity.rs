//! A batch depends on dataset, settings, seed, epoch and step alone.

use shardmill_formats::Codec;
use shardmill_loader::{Batch, LastBatch, Layout, Loader, Output};

use crate::{builder, dataset, kit, modern};

/// Everything that a batch holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    /// The pixels' bytes, whatever their type is.
    pixels: Vec<u8>,
    shifts: Vec<[u32; 3]>,
    labels: Vec<i64>,
    indices: Vec<u64>,
    valid: usize,
}

pub(crate) fn contents(batch: &Batch) -> Contents {
    let [rows, a, b, c] = batch.shape();
    let pixels = batch.image_bytes().to_vec();
    assert!(pixels.len().is_multiple_of((rows * a * b * c).max(1)));
    Contents {
        pixels,
        shifts: batch
            .color_shift()
            .iter()
            .map(|s| s.map(f32::to_bits))
            .collect(),
        labels: batch.labels().to_vec(),
        indices: batch.indices().to_vec(),
        valid: batch.valid(),
    }
}

pub(crate) fn epoch(loader: &Loader, epoch: u64) -> Vec<Contents> {
    loader
        .epoch(epoch)
        .map(|batch| contents(&batch.unwrap()))
        .collect()
}

#[test]
fn threads_change_nothing_on_any_codec_output_and_layout() {
    for codec in Codec::ALL {
        let (_folder, dataset) = dataset(codec);
        for output in [Output::F32, Output::F16, Output::Bf16, Output::U8] {
            for layout in [Layout::Nhwc, Layout::Nchw] {
                let with = |threads| {
                    let loader = builder(&dataset)
                        .output(output)
                        .layout(layout)
                        .threads(threads)
                        .build()
                        .unwrap();
                    (epoch(&loader, 0), epoch(&loader, 1))
                };
                let oracle = with(0);
                assert_ne!(oracle.0, oracle.1, "epochs must differ");
                for threads in [1, 2, 8] {
                    assert_eq!(
                        with(threads),
                        oracle,
                        "{codec} {output:?} {layout:?} {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn resized_and_tinted_batches_do_not_depend_on_threads_or_sizes() {
    let (_folder, dataset) = dataset(Codec::Zstd);
    // The first window is smaller than the records, the second larger.
    for crop in [13, 40] {
        for output in [Output::U8, Output::F32] {
            let with = |threads, size, seed| {
                let loader = modern(&dataset, crop)
                    .output(output)
                    .threads(threads)
                    .batch_size(size)
                    .seed(seed)
                    .build()
                    .unwrap();
                epoch(&loader, 1)
                    .into_iter()
                    .flat_map(|c| c.pixels)
                    .collect::<Vec<_>>()
            };
            let oracle = with(0, 4, 7);
            for (threads, size) in [(1, 4), (2, 5), (8, 1)] {
                assert_eq!(
                    with(threads, size, 7),
                    oracle,
                    "{threads} threads, {size} a batch"
                );
            }
            assert_ne!(with(0, 4, 8), oracle, "the seed must count");
        }
    }
}

#[test]
fn an_epoch_visits_every_sample_once() {
    let (_folder, dataset) = dataset(Codec::Raw);
    for shuffle in [false, true] {
        let loader = builder(&dataset)
            .shuffle(shuffle)
            .threads(2)
            .build()
            .unwrap();
        let mut seen: Vec<u64> = epoch(&loader, 5)
            .into_iter()
            .flat_map(|c| c.indices)
            .collect();
        assert_eq!(seen.is_sorted(), !shuffle);
        seen.sort_unstable();
        assert_eq!(seen, (0..kit::SAMPLES as u64).collect::<Vec<_>>());
    }
}

#[test]
fn seeking_gives_what_reading_on_gives() {
    let (_folder, dataset) = dataset(Codec::Jpeg);
    for threads in [0, 2] {
        let loader = builder(&dataset).threads(threads).build().unwrap();
        let all = epoch(&loader, 2);
        assert_eq!(loader.steps(), all.len() as u64);
        for step in 0..=all.len() {
            let epoch = loader.epoch(2).seek(step as u64);
            assert_eq!(epoch.len(), all.len() - step);
            let rest: Vec<_> = epoch.map(|batch| contents(&batch.unwrap())).collect();
            assert_eq!(rest[..], all[step..]);
        }
        let mut moving = loader.epoch(2);
        moving.next().unwrap().unwrap();
        let mut moving = moving.seek(3);
        assert_eq!(contents(&moving.next().unwrap().unwrap()), all[3]);
    }
}

#[test]
fn augmentation_does_not_depend_on_the_batch_size() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let samples = |size| {
        let loader = builder(&dataset).batch_size(size).build().unwrap();
        epoch(&loader, 0)
            .into_iter()
            .flat_map(|c| c.pixels)
            .collect::<Vec<_>>()
    };
    assert_eq!(samples(1), samples(23));
    assert_eq!(samples(5), samples(8));
}

#[test]
fn ranks_partition_every_global_batch() {
    let (_folder, dataset) = dataset(Codec::Raw);
    for last in [LastBatch::Drop, LastBatch::Pad] {
        let whole = builder(&dataset).last_batch(last).build().unwrap();
        let whole = epoch(&whole, 1);
        for ranks in [2, 4] {
            let parts: Vec<_> = (0..ranks)
                .map(|rank| {
                    let loader = builder(&dataset)
                        .last_batch(last)
                        .rank(rank, ranks)
                        .threads(2)
                        .build()
                        .unwrap();
                    epoch(&loader, 1)
                })
                .collect();
            for (step, global) in whole.iter().enumerate() {
                let pixels: Vec<u8> = parts
                    .iter()
                    .flat_map(|part| part[step].pixels.clone())
                    .collect();
                let indices: Vec<u64> = parts
                    .iter()
                    .flat_map(|part| part[step].indices.clone())
                    .collect();
                assert_eq!((&pixels, &indices), (&global.pixels, &global.indices));
                assert_eq!(
                    parts.iter().map(|part| part[step].valid).sum::<usize>(),
                    global.valid
                );
            }
        }
    }
}

/// 23 samples in batches of 4: the last one has three, of which the fourth rank has none.
#[test]
fn uneven_ranks_partition_every_batch_of_one_process() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let whole = epoch(&builder(&dataset).build().unwrap(), 1);
    for ranks in [1, 2, 3, 4, 5] {
        let parts: Vec<_> = (0..ranks)
            .map(|rank| {
                let loader = builder(&dataset).uneven_rank(rank, ranks).threads(2);
                epoch(&loader.build().unwrap(), 1)
            })
            .collect();
        for (step, global) in whole.iter().enumerate() {
            let of_all = parts.iter().map(|part| &part[step]);
            let pixels: Vec<u8> = of_all.clone().flat_map(|c| c.pixels.clone()).collect();
            let indices: Vec<u64> = of_all.clone().flat_map(|c| c.indices.clone()).collect();
            assert_eq!((&pixels, &indices), (&global.pixels, &global.indices));
            let sizes: Vec<usize> = of_all.map(|c| c.labels.len()).collect();
            assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
            assert!(sizes[0] - sizes[ranks - 1] <= 1, "{sizes:?}");
        }
    }
    let refused = builder(&dataset)
        .uneven_rank(0, 2)
        .last_batch(LastBatch::Pad);
    let refused = refused.build().unwrap_err().to_string();
    assert!(refused.contains("keep it"), "{refused}");
    let mid = builder(&dataset).uneven_rank(3, 4).build().unwrap();
    assert_eq!(
        mid.epoch(1)
            .seek(5)
            .map(|b| b.unwrap().len())
            .sum::<usize>(),
        0
    );
}

#[test]
fn the_last_batch_is_kept_dropped_or_padded() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let sizes = |last| {
        let loader = builder(&dataset).last_batch(last).build().unwrap();
        let all = epoch(&loader, 0);
        (
            all.len(),
            all[all.len() - 1].labels.len(),
            all[all.len() - 1].valid,
        )
    };
    assert_eq!(sizes(LastBatch::Keep), (6, 3, 3));
    assert_eq!(sizes(LastBatch::Drop), (5, 4, 4));
    assert_eq!(sizes(LastBatch::Pad), (6, 4, 3));
}

#[test]
fn batches_may_be_hoarded_and_sent_away() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let loader = builder(&dataset).batch_size(1).threads(2).build().unwrap();
    let hoard: Vec<Batch> = loader.epoch(0).map(Result::unwrap).collect();
    let there = std::thread::spawn(move || hoard.iter().map(Batch::len).sum::<usize>());
    assert_eq!(there.join().unwrap(), kit::SAMPLES);
}
