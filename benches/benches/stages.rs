//! Decoding and resizing one image, and loading an epoch of each codec and output.

#![allow(missing_docs)]

use std::fs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardmill_formats::Codec;
use shardmill_loader::{Dataset, Layout, Loader, Output};
use shardmill_prep::{ImageDecoder, IngestOptions, ingest};
use shardmill_tests::photo;

const IMAGES: u64 = 256;

fn stages(c: &mut Criterion) {
    let work = tempfile::tempdir().unwrap();
    let class = work.path().join("tree/train/a");
    fs::create_dir_all(&class).unwrap();
    for i in 0..IMAGES as u32 {
        photo(500, 375, i % 32)
            .save(class.join(format!("{i}.jpg")))
            .unwrap();
    }
    let mut group = c.benchmark_group("stages");
    group.sample_size(20);
    let bytes = fs::read(class.join("0.jpg")).unwrap();
    let mut decoder = ImageDecoder::new(256);
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode and resize 500x375", |b| {
        b.iter(|| decoder.decode(&bytes).unwrap().len())
    });
    group.throughput(Throughput::Elements(IMAGES));
    for codec in Codec::ALL {
        let mut options =
            IngestOptions::new(work.path().join("tree"), work.path().join(codec.name()));
        options.codec = codec;
        ingest(&options).unwrap();
        let dataset = Dataset::open(&options.out, "train").unwrap();
        for (output, layout) in [
            (Output::F32, Layout::Nhwc),
            (Output::F32, Layout::Nchw),
            (Output::U8, Layout::Nhwc),
        ] {
            let builder = Loader::builder(dataset.clone()).batch_size(64).threads(2);
            let loader = builder.output(output).layout(layout).build().unwrap();
            group.bench_function(format!("epoch {codec} {output:?} {layout:?}"), |b| {
                b.iter(|| {
                    loader
                        .epoch(0)
                        .map(|batch| batch.unwrap().len())
                        .sum::<usize>()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
