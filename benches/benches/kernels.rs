//! The loader's kernels on one thread, through whole batches of raw records in the page cache: each
//! type and layout, batches that are written around the caches and others, resized windows, and
//! changes of colour.

#![allow(missing_docs)]

use std::fs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardmill_loader::{ColorJitter, Dataset, Layout, Loader, LoaderBuilder, Output, Policy};
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::photo;

/// As many f32 images are 39 MB, which is more than a processor's caches hold.
const IMAGES: usize = 64;
/// And these are 2.4 MB.
const FEW: usize = 4;

fn kernels(c: &mut Criterion) {
    let work = tempfile::tempdir().unwrap();
    let class = work.path().join("tree/train/a");
    fs::create_dir_all(&class).unwrap();
    for i in 0..IMAGES as u32 {
        photo(256, 256, i)
            .save(class.join(format!("{i}.png")))
            .unwrap();
    }
    let options = IngestOptions::new(work.path().join("tree"), work.path().join("raw"));
    ingest(&options).unwrap();
    let dataset = Dataset::open(&options.out, "train").unwrap();
    let mut group = c.benchmark_group("kernels");
    let mut bench = |name: String, images: usize, builder: LoaderBuilder| {
        let loader = builder.batch_size(images).threads(0).build().unwrap();
        group.throughput(Throughput::Elements(images as u64));
        group.bench_function(name, |b| {
            b.iter(|| loader.epoch(0).next().unwrap().unwrap().len());
        });
    };
    let builder = || Loader::builder(dataset.clone());
    for output in [Output::F32, Output::F16, Output::Bf16, Output::U8] {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            for images in [IMAGES, FEW] {
                let name = format!("{output:?} {layout:?}, {images} images");
                bench(name, images, builder().output(output).layout(layout));
            }
        }
    }
    let resized = Policy::RandomResizedCrop {
        crop: 224,
        scale: (0.08, 1.0),
        ratio: (0.75, 4.0 / 3.0),
        flip: true,
        color_std: 0.0,
    };
    let none = ColorJitter {
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
    };
    let parts = [
        (
            "brightness",
            ColorJitter {
                brightness: 0.4,
                ..none
            },
        ),
        (
            "contrast",
            ColorJitter {
                contrast: 0.4,
                ..none
            },
        ),
        (
            "saturation",
            ColorJitter {
                saturation: 0.4,
                ..none
            },
        ),
        ("hue", ColorJitter { hue: 0.1, ..none }),
    ];
    let all = ColorJitter {
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        hue: 0.1,
    };
    for output in [Output::F32, Output::U8] {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let name = format!("resized crop: {output:?} {layout:?}");
            let builder = builder().policy(resized).output(output).layout(layout);
            bench(name, IMAGES, builder);
        }
    }
    for (part, jitter) in parts {
        bench(
            format!("jitter: {part}"),
            IMAGES,
            builder().color_jitter(jitter),
        );
    }
    bench(
        "jitter: all".to_owned(),
        IMAGES,
        builder().color_jitter(all),
    );
    let both = builder().policy(resized).color_jitter(all);
    bench("resized crop and jitter: all".to_owned(), IMAGES, both);
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
