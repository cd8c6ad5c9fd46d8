//! Several independent augmentations of every sample.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shardmill_formats::{Codec, ShardIndex};
use shardmill_loader::{Area, BadRecord, Batch, Dataset, Layout, LoaderBuilder, Output, Policy};

use crate::damage::flip;
use crate::{builder, dataset, kit, modern};

/// Everything that a batch holds of one row.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    pixels: Vec<u8>,
    shift: Option<[u32; 3]>,
    area: Area,
}

fn rows(batch: &Batch) -> Vec<Row> {
    let bytes = batch.image_bytes().len() / batch.rows();
    let row = |i: usize| Row {
        pixels: batch.image_bytes()[i * bytes..][..bytes].to_vec(),
        shift: batch.color_shift().get(i).map(|s| s.map(f32::to_bits)),
        area: batch.areas()[i],
    };
    (0..batch.rows()).map(row).collect()
}

/// The rows of each sample of an epoch, with its index.
fn samples(builder: LoaderBuilder, epoch: u64) -> Vec<(u64, Vec<Row>)> {
    let loader = builder.build().unwrap();
    let each = loader.rows_per_sample();
    let mut all = Vec::new();
    for batch in loader.epoch(epoch) {
        let batch = batch.unwrap();
        assert_eq!(batch.rows(), batch.len() * each);
        assert_eq!(batch.shape()[0], batch.rows());
        let rows = rows(&batch);
        for (index, rows) in batch.indices().iter().zip(rows.chunks_exact(each)) {
            all.push((*index, rows.to_vec()));
        }
    }
    all
}

fn fixed(dataset: &Dataset) -> LoaderBuilder {
    builder(dataset).policy(Policy::FixedCrop {
        crop: 16,
        flip: true,
        color_std: 0.1,
    })
}

#[test]
fn the_first_view_is_the_only_one_and_the_others_differ() {
    let (_folder, dataset) = dataset(Codec::Zstd);
    let builders = [
        builder(&dataset),
        modern(&dataset, 13),
        modern(&dataset, 30).draw_every(3),
        fixed(&dataset),
    ];
    for base in builders {
        for output in [Output::F32, Output::F16, Output::Bf16, Output::U8] {
            for layout in [Layout::Nhwc, Layout::Nchw] {
                let base = base.clone().output(output).layout(layout);
                let one = samples(base.clone(), 2);
                let two = samples(base.clone().views(2), 2);
                let five = samples(base.clone().views(5).threads(2), 2);
                for ((one, two), five) in one.iter().zip(&two).zip(&five) {
                    assert_eq!((one.0, one.0), (two.0, five.0));
                    assert_eq!((one.1.len(), two.1.len(), five.1.len()), (1, 2, 5));
                    // More views change none of those that were there.
                    assert_eq!(one.1[..], five.1[..1]);
                    assert_eq!(two.1[..], five.1[..2]);
                    for (k, view) in five.1.iter().enumerate() {
                        assert!(!five.1[..k].contains(view), "view {k} of {}", one.0);
                    }
                }
            }
        }
    }
}

#[test]
fn views_do_not_depend_on_threads_batches_or_ranks() {
    let (_folder, dataset) = dataset(Codec::Jpeg);
    let base = modern(&dataset, 16).output(Output::U8).views(3);
    let oracle = samples(base.clone().threads(0), 1);
    assert_eq!(oracle.len(), kit::SAMPLES);
    for (threads, size) in [(1, 4), (2, 5), (8, 1), (3, 23)] {
        let found = samples(base.clone().threads(threads).batch_size(size), 1);
        assert!(found == oracle, "{threads} threads, {size} a batch");
    }
    assert_ne!(samples(base.clone(), 2), oracle);
    assert_ne!(samples(base.seed(8), 1), oracle);
}

#[test]
fn windows_flips_and_colours_of_views_are_independent() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let loader = builder(&dataset).output(Output::U8).views(3).batch_size(23);
    let loader = loader.build().unwrap();
    let (mut flips, mut same, mut products, mut all) = ([0_u32; 8], 0, 0.0, 0);
    for epoch in 0..400 {
        for batch in loader.epoch(epoch) {
            let batch = batch.unwrap();
            let shifts = batch.color_shift().chunks_exact(3);
            for (areas, shifts) in batch.areas().chunks_exact(3).zip(shifts) {
                let bits = areas.iter().map(|area| usize::from(area.flip));
                flips[bits.fold(0, |sum, bit| 2 * sum + bit)] += 1;
                let place = |k: usize| (areas[k].top, areas[k].left);
                same += u32::from(place(1) == place(2));
                products += f64::from((shifts[1][0] * shifts[2][0]).signum());
                all += 1;
            }
        }
    }
    assert_eq!(all, 23 * 400);
    // Chi-squared with 7 degrees of freedom: 24.3 is passed by chance once in a thousand.
    let expected = f64::from(all) / 8.0;
    let chi: f64 = flips
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    assert!(chi < 24.3, "chi-squared {chi}: {flips:?}");
    // One of 45 places, and signs that agree half of the time; five standard errors.
    assert!((f64::from(same) - 204.4).abs() < 71.0, "{same} of {all}");
    assert!(products.abs() < 480.0, "{products} of {all}");
}

#[test]
fn images_that_share_a_window_share_it_in_each_view() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let shared = builder(&dataset).output(Output::U8).views(3).draw_every(4);
    for run in samples(shared, 0).chunks(4) {
        for k in 0..3 {
            let shifts: Vec<_> = run.iter().map(|(_, rows)| rows[k].shift).collect();
            for (_, rows) in run {
                assert_eq!(rows[k].area, run[0].1[k].area);
            }
            assert!(
                (1..shifts.len()).all(|i| !shifts[..i].contains(&shifts[i])),
                "colours are drawn for each sample"
            );
        }
        let areas: Vec<_> = run[0].1.iter().map(|row| row.area).collect();
        assert!(areas.iter().any(|area| *area != areas[0]), "{areas:?}");
    }
}

#[test]
fn a_record_is_transformed_once_for_all_its_views_and_replaced_in_all() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let path = folder.path().join("train-00001-of-00003.safetensors");
    let bytes = fs::read(&path).unwrap();
    let record = ShardIndex::parse(&bytes).unwrap().record_range(&bytes, 0);
    flip(&path, record.start as u64 + 9);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let base = builder(&dataset).on_bad_record(BadRecord::Replace);
    let base = base.output(Output::U8).transform(move |sample| {
        counted.fetch_add(1, Ordering::Relaxed);
        let value = sample.index() as u8;
        sample.pixels().fill(value);
        Ok(())
    });
    let loader = base.views(4).threads(2).build().unwrap();
    let mut replaced = 0;
    for batch in loader.epoch(0) {
        let batch = batch.unwrap();
        replaced += batch.replaced().len();
        let values = batch.images_u8().chunks_exact(4 * 16 * 16 * 3);
        for (index, values) in batch.indices().iter().zip(values) {
            assert!(values.iter().all(|value| u64::from(*value) == *index));
        }
    }
    assert_eq!((replaced, calls.load(Ordering::Relaxed)), (1, kit::SAMPLES));
}

#[test]
fn memory_grows_with_the_views_and_settings_without_meaning_are_refused() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let bytes = |views| {
        let loader = builder(&dataset).views(views).build().unwrap();
        assert_eq!(loader.rows_per_sample(), views);
        loader.epoch(0).buffer_bytes()
    };
    // Labels and indices are there once.
    let labels = 3 * 4 * 16;
    assert_eq!(bytes(5) - labels, 5 * (bytes(1) - labels));
    let refused = |builder: LoaderBuilder| builder.build().unwrap_err().to_string();
    assert!(refused(builder(&dataset).views(0)).contains("choose 1 to 256"));
    assert!(refused(builder(&dataset).views(257)).contains("choose 1 to 256"));
    for policy in [
        Policy::Center { crop: 16 },
        Policy::TwoView { crop: 16 },
        Policy::TenView { crop: 16 },
    ] {
        let evaluation = builder(&dataset).policy(policy);
        assert!(evaluation.clone().views(1).build().is_ok());
        let error = refused(evaluation.views(2));
        assert!(
            error.contains("views") && error.contains("training policies"),
            "{error}"
        );
    }
}
