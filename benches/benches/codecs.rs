//! One record of 256x256, encoded and decoded with each codec.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardmill_formats::{Codec, Decoder, EncodeOptions, Encoder, RecordShape, crc32c};
use shardmill_tests::photo;

fn codecs(c: &mut Criterion) {
    let shape = RecordShape {
        height: 256,
        width: 256,
    };
    let rgb = photo(256, 256, 1).into_raw();
    let mut group = c.benchmark_group("codecs");
    group.throughput(Throughput::Elements(1));
    for codec in Codec::ALL {
        let mut encoder = Encoder::new(codec, shape, EncodeOptions::default()).unwrap();
        let mut stored = Vec::new();
        group.bench_function(format!("{codec} encode"), |b| {
            b.iter(|| encoder.encode(&rgb, &mut stored).unwrap());
        });
        let mut decoder = Decoder::new(codec, shape);
        let mut out = vec![0; shape.bytes()];
        group.bench_function(format!("{codec} decode"), |b| {
            b.iter(|| decoder.decode(&stored, &mut out).unwrap());
        });
    }
    group.bench_function("crc32c of a raw record", |b| b.iter(|| crc32c(&rgb)));
    group.finish();
}

criterion_group!(benches, codecs);
criterion_main!(benches);
