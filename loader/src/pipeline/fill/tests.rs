use proptest::prelude::*;
use shardmill_formats::Statistics;
use shardmill_kernels::{Canvas, Image};

use super::*;
use crate::augment::{Augmentation, ColorNoise, View};
use crate::{ColorJitter, Dataset, Loader, Order, Output, Policy, kit};

const MEAN: [f32; 3] = [120.0, 110.0, 100.0];
const STD: [f32; 3] = [60.0, 58.0, 57.0];
const JITTER: ColorJitter = ColorJitter {
    brightness: 0.4,
    contrast: 0.4,
    saturation: 0.4,
    hue: 0.1,
};

/// A row as it should be: bytes in NHWC, and the shift.
struct Row {
    bytes: Vec<u8>,
    shift: [f64; 3],
}

/// The rows of what stands at `place`, one view after the other, by the definition.
fn naive(
    plan: &Plan,
    statistics: &Statistics,
    jitter: Option<&ColorJitter>,
    epoch: u64,
    place: u64,
    count: u64,
) -> Vec<Row> {
    let seed = plan.sampler.seed;
    let draw = plan.sampler.epoch(epoch, &plan.mix).draw(place);
    let record = kit::pixels(draw.sample as usize);
    let policy = plan.augmentation.policy;
    let crop = policy.crop() as usize;
    let row = |k: u64| {
        let base = Philox::new(seed, Stream::Augment).derive(epoch);
        let philox = if k == 0 { base } else { base.derive(k) };
        let augmentation = Augmentation {
            policy,
            views: 1,
            jitter: jitter.copied(),
            noise: Some(ColorNoise::new(statistics, policy.color_std().unwrap())),
        };
        let rows: Vec<View> = augmentation.rows(kit::SHAPE, &philox, draw).collect();
        let [view] = rows[..] else {
            panic!("{} rows", rows.len())
        };
        let image = Image {
            rgb: &record,
            width: kit::SHAPE.width as usize,
        };
        let mut canvas = Canvas::default();
        let window = canvas.draw(image, view.area, view.tint.as_ref(), crop);
        let byte = |i: usize| {
            let (y, x, c) = (i / 3 / crop, i / 3 % crop, i % 3);
            let x = if view.flip { crop - 1 - x } else { x };
            window[(y * crop + x) * 3 + c]
        };
        Row {
            bytes: (0..crop * crop * 3).map(byte).collect(),
            shift: std::array::from_fn(|c| view.shift[c] / f64::from(STD[c])),
        }
    };
    (0..count).map(row).collect()
}

fn policies(crop: u32) -> [Policy; 3] {
    let (flip, color_std) = (true, 0.1);
    [
        Policy::Train {
            crop: crop.min(20),
            flip,
            color_std,
        },
        Policy::RandomResizedCrop {
            crop,
            scale: (0.08, 1.0),
            ratio: (0.75, 4.0 / 3.0),
            flip,
            color_std,
        },
        Policy::FixedCrop {
            crop: crop.min(20),
            flip,
            color_std,
        },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn views_match_naive(
        seed in any::<u64>(), epoch in any::<u64>(), count in 1_u64..6, which in 0_usize..3,
        crop in 1_u32..30, jittered in any::<bool>(), draw_every in 1_u64..5,
        threads in 0_usize..3, size in 1_usize..9,
    ) {
        let folder = tempfile::tempdir().unwrap();
        kit::write(folder.path(), Codec::Raw);
        let dataset = Dataset::open(folder.path(), "train").unwrap();
        let statistics = dataset.manifest().statistics.clone().unwrap().statistics;
        let mut builder = Loader::builder(dataset)
            .seed(seed)
            .policy(policies(crop)[which])
            .order(Order::blocks())
            .draw_every(draw_every)
            .views(count as usize)
            .batch_size(size)
            .threads(threads)
            .normalize(crate::Normalize { mean: MEAN, std: STD });
        let jitter = jittered.then_some(JITTER);
        if let Some(jitter) = jitter {
            builder = builder.color_jitter(jitter);
        }
        let bytes = builder.clone().output(Output::U8).build().unwrap();
        let floats = builder.build().unwrap();
        for (bytes_batch, floats_batch) in bytes.epoch(epoch).zip(floats.epoch(epoch)) {
            let (bytes_batch, floats_batch) = (bytes_batch.unwrap(), floats_batch.unwrap());
            let wanted: Vec<Row> = bytes_batch
                .places()
                .flat_map(|place| naive(&bytes.plan, &statistics, jitter.as_ref(), epoch, place, count))
                .collect();
            prop_assert_eq!(wanted.len(), bytes_batch.rows());
            let values = wanted[0].bytes.len();
            for (row, wanted) in wanted.iter().enumerate() {
                let found = &bytes_batch.images_u8()[row * values..][..values];
                prop_assert_eq!(found, &wanted.bytes[..]);
                prop_assert_eq!(bytes_batch.color_shift()[row], wanted.shift.map(|s| s as f32));
                let floats = &floats_batch.images_f32()[row * values..][..values];
                for (i, (value, byte)) in floats.iter().zip(&wanted.bytes).enumerate() {
                    let c = i % 3;
                    let exact = (f64::from(*byte) - f64::from(MEAN[c])) / f64::from(STD[c]) + wanted.shift[c];
                    prop_assert!((f64::from(*value) - exact).abs() < 1e-5, "{} for {}", value, exact);
                }
            }
        }
    }
}
