//! One JPEG record of 256x256 decoded on one thread: whole and a window of 224, to planes and to RGB, without
//! restart markers and with one at every row of units.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use shardmill_jpeg::{Decoder, Image, Options, Region, Strip};
use shardmill_tests::photo;

const SIDE: u16 = 256;
/// The window that training sees, in the middle.
const WINDOW: Region = Region {
    left: 16,
    top: 16,
    right: 240,
    bottom: 240,
};

/// A record as the codec writes it, with a restart marker after every `restart` units.
fn record(restart: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_restart_interval(restart);
    let rgb = photo(SIDE.into(), SIDE.into(), 1).into_raw();
    encoder.encode(&rgb, SIDE, SIDE, ColorType::Rgb).unwrap();
    jpeg
}

fn jpeg(c: &mut Criterion) {
    let mut group = c.benchmark_group("jpeg");
    group.throughput(Throughput::Elements(1));
    let regions = [
        ("whole", Region::whole(SIDE.into(), SIDE.into())),
        ("window", WINDOW),
    ];
    for (kind, restart) in [("", 0), (" with restarts", SIDE / 16)] {
        let bytes = record(restart);
        for (name, region) in regions {
            let mut decoder = Decoder::default();
            group.bench_function(format!("{name} to planes{kind}"), |b| {
                b.iter(|| {
                    let image = Image::parse(&bytes).unwrap();
                    decoder
                        .planes(&image, region, Options::default())
                        .unwrap()
                        .0
                        .len()
                });
            });
            group.bench_function(format!("{name} to RGB{kind}"), |b| {
                b.iter(|| {
                    let image = Image::parse(&bytes).unwrap();
                    let mut sum = 0;
                    let mut see = |strip: Strip<'_>| sum += usize::from(strip.rgb[0]);
                    decoder
                        .rgb(&image, region, Options::default(), &mut see)
                        .unwrap();
                    sum
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, jpeg);
criterion_main!(benches);
