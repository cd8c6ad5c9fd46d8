//! What a loader promises, on small datasets of every codec.

mod alone;
mod bench;
mod damage;
#[cfg(unix)]
mod fork;
mod kit;
mod memory;
mod meters;
mod orders;
mod purity;
#[cfg(feature = "remote")]
mod remote;
mod resume;
#[cfg(feature = "remote")]
#[path = "../../../store/tests/it/server.rs"]
mod server;
mod shared;
#[cfg(feature = "remote")]
mod simulation;
mod stopping;
mod terminal;
mod threads;
#[cfg(target_os = "linux")]
mod truncation;
mod trust;
mod views;
mod windows;

use shardmill_formats::Codec;
use shardmill_loader::{
    ColorJitter, Dataset, Layout, Loader, LoaderBuilder, Mix, Normalize, Output, Policy,
};
use tempfile::TempDir;

fn dataset(codec: Codec) -> (TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), codec);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    (folder, dataset)
}

fn builder(dataset: &Dataset) -> LoaderBuilder {
    builder_of(dataset.clone())
}

fn builder_of(data: impl Into<Mix>) -> LoaderBuilder {
    Loader::builder(data)
        .batch_size(4)
        .seed(7)
        .policy(Policy::Train {
            crop: 16,
            flip: true,
            color_std: 0.1,
        })
        .normalize(Normalize {
            mean: [120.0, 110.0, 100.0],
            std: [60.0, 58.0, 57.0],
        })
}

/// Windows of any size, resized to `crop`, with every change of colour.
fn modern(dataset: &Dataset, crop: u32) -> LoaderBuilder {
    modern_of(dataset.clone(), crop)
}

fn modern_of(data: impl Into<Mix>, crop: u32) -> LoaderBuilder {
    builder_of(data)
        .policy(Policy::RandomResizedCrop {
            crop,
            scale: (0.08, 1.0),
            ratio: (0.75, 4.0 / 3.0),
            flip: true,
            color_std: 0.1,
        })
        .color_jitter(ColorJitter {
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
        })
}

/// A whole window that is only resized is the record.
#[test]
fn a_resized_crop_of_everything_is_the_record() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let loader = builder(&dataset)
        .policy(Policy::RandomResizedCrop {
            crop: 20,
            scale: (1.0, 1.0),
            ratio: (1.2, 1.2),
            flip: false,
            color_std: 0.0,
        })
        .output(Output::U8)
        .shuffle(false)
        .build()
        .unwrap();
    let batch = loader.epoch(0).next().unwrap().unwrap();
    // Records are 24 wide and 20 high, so rows stay and columns become fewer.
    for (sample, image) in batch.images_u8().chunks_exact(20 * 20 * 3).enumerate() {
        let rgb = kit::pixels(sample);
        let mean =
            |bytes: &[u8]| bytes.iter().map(|b| f64::from(*b)).sum::<f64>() / bytes.len() as f64;
        for y in 0..20 {
            let (found, wanted) = (mean(&image[y * 60..][..60]), mean(&rgb[y * 72..][..72]));
            assert!(
                (found - wanted).abs() < 6.0,
                "sample {sample} row {y}: {found} for {wanted}"
            );
        }
    }
}

#[test]
fn samples_come_back_as_they_were_written() {
    for codec in [Codec::Raw, Codec::Zstd] {
        let (_folder, dataset) = dataset(codec);
        assert_eq!(dataset.len(), kit::SAMPLES as u64);
        let mut rgb = vec![0; kit::SHAPE.bytes()];
        for i in 0..kit::SAMPLES {
            dataset.read(i as u64, &mut rgb).unwrap();
            assert_eq!(rgb, kit::pixels(i), "{codec}, sample {i}");
            assert_eq!(dataset.label(i as u64), (i % kit::CLASSES) as i64);
            assert_eq!(
                dataset.key(i as u64),
                format!("train/c{}/{i}.JPEG", i % kit::CLASSES)
            );
        }
    }
}

#[test]
fn ten_views_are_windows_of_the_record() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let loader = builder(&dataset)
        .policy(Policy::TenView { crop: 16 })
        .output(Output::U8)
        .shuffle(false)
        .build()
        .unwrap();
    let batch = loader.epoch(0).next().unwrap().unwrap();
    assert_eq!(
        (batch.len(), batch.rows(), batch.shape()),
        (4, 40, [40, 16, 16, 3])
    );
    let (width, down, right) = (24, 4, 8);
    let corners = [
        (0, 0),
        (0, right),
        (down, 0),
        (down, right),
        (down / 2, right / 2),
    ];
    for row in 0..40 {
        let (sample, view) = (row / 10, row % 10);
        let (top, left) = corners[view % 5];
        let rgb = kit::pixels(sample);
        let found = &batch.images_u8()[row * 768..(row + 1) * 768];
        for (i, value) in found.iter().enumerate() {
            let (y, x, c) = (i / 48, i / 3 % 16, i % 3);
            let x = if view >= 5 { 15 - x } else { x };
            assert_eq!(
                *value,
                rgb[((top + y) * width + left + x) * 3 + c],
                "view {view} at {y},{x},{c}"
            );
        }
    }
}

#[test]
fn two_views_are_the_centre_and_its_reflection() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let rows = |policy| {
        let loader = builder(&dataset)
            .policy(policy)
            .output(Output::U8)
            .shuffle(false)
            .build()
            .unwrap();
        loader.epoch(0).next().unwrap().unwrap()
    };
    let (two, ten) = (
        rows(Policy::TwoView { crop: 16 }),
        rows(Policy::TenView { crop: 16 }),
    );
    assert_eq!((two.len(), two.rows(), two.shape()), (4, 8, [8, 16, 16, 3]));
    assert_eq!(two.labels(), ten.labels());
    for (row, image) in two.images_u8().chunks_exact(768).enumerate() {
        // The fifth of ten views is the centre, the tenth its reflection.
        let same = row / 2 * 10 + 4 + row % 2 * 5;
        assert!(image == &ten.images_u8()[same * 768..][..768], "row {row}");
        assert_eq!(two.areas()[row], ten.areas()[same]);
    }
}

#[test]
fn bytes_with_their_shift_agree_with_floats() {
    for layout in [Layout::Nhwc, Layout::Nchw] {
        let (_folder, dataset) = dataset(Codec::Zstd);
        let floats = builder(&dataset).layout(layout).build().unwrap();
        let bytes = builder(&dataset)
            .layout(layout)
            .output(Output::U8)
            .build()
            .unwrap();
        let (mean, std) = ([120.0, 110.0, 100.0], [60.0, 58.0, 57.0_f32]);
        for (f, b) in floats.epoch(3).zip(bytes.epoch(3)) {
            let (f, b) = (f.unwrap(), b.unwrap());
            assert_eq!(f.indices(), b.indices());
            for (i, (wanted, byte)) in f.images_f32().iter().zip(b.images_u8()).enumerate() {
                let c = if layout == Layout::Nhwc {
                    i % 3
                } else {
                    i / 256 % 3
                };
                let found = (f32::from(*byte) - mean[c]) / std[c] + b.color_shift()[i / 768][c];
                assert!((found - wanted).abs() < 1e-5, "{found} for {wanted}");
            }
            assert!(
                b.color_shift().iter().flatten().any(|s| *s != 0.0),
                "no colour noise was drawn"
            );
        }
    }
}

#[test]
fn narrow_outputs_are_the_floats_rounded() {
    let (_folder, dataset) = dataset(Codec::Raw);
    for layout in [Layout::Nhwc, Layout::Nchw] {
        let with = |output| {
            let builder = builder(&dataset).layout(layout).output(output).threads(2);
            builder.build().unwrap().epoch(1).map(Result::unwrap)
        };
        let narrow = with(Output::F16).zip(with(Output::Bf16));
        for (floats, (halves, brains)) in with(Output::F32).zip(narrow) {
            let values = floats.images_f32();
            assert_eq!(values.len(), halves.images_f16().len());
            let narrow = halves.images_f16().iter().zip(brains.images_bf16());
            for (value, (half, brain)) in values.iter().zip(narrow) {
                assert_eq!(*half, half::f16::from_f32(*value));
                assert_eq!(*brain, half::bf16::from_f32(*value));
            }
        }
    }
}

#[test]
#[should_panic(expected = "this loader gives F16: use images_f16")]
fn the_wrong_accessor_says_which_is_right() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let loader = builder(&dataset).output(Output::F16).build().unwrap();
    let _ = loader.epoch(0).next().unwrap().unwrap().images_f32();
}

#[test]
fn settings_without_meaning_are_answered_with_advice() {
    let (folder, dataset) = dataset(Codec::Raw);
    let says = |builder: LoaderBuilder, word: &str| {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    says(
        builder(&dataset).policy(Policy::Center { crop: 21 }),
        "choose 1 to 20",
    );
    says(builder(&dataset).batch_size(0), "at least 1");
    says(builder(&dataset).rank(0, 3), "multiple");
    says(builder(&dataset).rank(2, 2), "ranks count from 0");
    says(builder(&dataset).rank(0, 2), "drop or pad");
    says(
        builder(&dataset).normalize(Normalize {
            mean: [0.0; 3],
            std: [0.0; 3],
        }),
        "divides",
    );
    let resized = |scale, ratio| {
        builder(&dataset).policy(Policy::RandomResizedCrop {
            crop: 16,
            scale,
            ratio,
            flip: true,
            color_std: 0.1,
        })
    };
    says(resized((0.5, 0.1), (0.75, 1.3)), "smallest share");
    says(resized((0.1, 1.5), (0.75, 1.3)), "up to 1");
    says(resized((0.1, 1.0), (0.0, 1.3)), "smallest ratio");
    says(modern(&dataset, 0), "choose 1 to");
    let center = Policy::Center { crop: 16 };
    says(modern(&dataset, 16).policy(center), "leave it out");
    let jitter = ColorJitter {
        brightness: 0.1,
        contrast: 0.1,
        saturation: 0.1,
        hue: 0.6,
    };
    says(builder(&dataset).color_jitter(jitter), "at most 0.5");
    let split = Dataset::open(folder.path(), "val")
        .err()
        .unwrap()
        .to_string();
    assert!(split.contains("\"train\""), "{split}");
    let missing = Dataset::open(folder.path().join("nowhere"), "train")
        .err()
        .unwrap()
        .to_string();
    assert!(missing.contains("prep ingest"), "{missing}");
}

#[test]
fn a_loader_says_what_it_really_starts_and_takes() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let with = |threads, prefetch| {
        let builder = builder(&dataset).threads(threads).prefetch(prefetch);
        builder.build().unwrap()
    };
    // 23 samples are six batches of 4.
    let (none, two, all) = (with(0, 0), with(2, 1), with(100, 100));
    assert_eq!((none.threads(), none.batches_under_way()), (0, 1));
    assert_eq!((two.threads(), two.batches_under_way()), (2, 4));
    assert_eq!((all.threads(), all.batches_under_way()), (6, 6));
    assert_eq!(all.epoch(0).meter().threads, 6);
    for loader in [none, two, all] {
        // Values of f32, and 17 bytes of a window in 20; label and index of each sample.
        assert_eq!(loader.batch_bytes(), 4 * (16 * 16 * 3 * 4 + 20 + 16));
        let bytes = loader.batch_bytes() * loader.batches_under_way();
        assert_eq!(loader.epoch(0).buffer_bytes(), bytes);
    }
}
