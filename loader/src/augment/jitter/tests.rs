use shardmill_formats::Stream;

use super::*;

fn jitter() -> ColorJitter {
    ColorJitter {
        brightness: 0.4,
        contrast: 1.5,
        saturation: 0.2,
        hue: 0.1,
    }
}

fn philox() -> Philox {
    Philox::new(3, Stream::Augment).derive(1)
}

#[test]
fn factors_are_uniform_and_orders_equally_likely() {
    let n = 24_000;
    let tints: Vec<_> = (0..n).map(|i| tint(&jitter(), &philox(), i)).collect();
    let ranges = [(0.6, 1.4), (0.0, 2.5), (0.8, 1.2), (-0.1, 0.1)];
    for (k, (low, high)) in ranges.into_iter().enumerate() {
        let mut tenths = [0_u32; 10];
        for tint in &tints {
            let factor = tint.steps().into_iter().find(|step| step.0 == Step::ALL[k]);
            let place = (factor.unwrap().1 - low) / (high - low);
            assert!((-1e-6..=1.000_001).contains(&place), "{place}");
            tenths[((place * 10.0) as usize).min(9)] += 1;
        }
        // Nine degrees of freedom: 27.9 is passed by chance once in a thousand.
        assert!(chi(&tenths, n as f64 / 10.0) < 27.9, "{k}: {tenths:?}");
    }
    let mut orders = std::collections::BTreeMap::new();
    for tint in &tints {
        *orders
            .entry(tint.steps().map(|step| step.0 as u8))
            .or_insert(0_u32) += 1;
    }
    let counts: Vec<_> = orders.into_values().collect();
    assert_eq!(counts.len(), 24);
    // 23 degrees of freedom: 49.7 once in a thousand.
    assert!(chi(&counts, 1000.0) < 49.7, "{counts:?}");
}

fn chi(counts: &[u32], expected: f64) -> f64 {
    counts
        .iter()
        .map(|c| (f64::from(*c) - expected).powi(2) / expected)
        .sum()
}

#[test]
fn neutral_factors_change_nothing() {
    let none = ColorJitter {
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
    };
    let tint = tint(&none, &philox(), 5);
    for (step, factor) in tint.steps() {
        let neutral = if step == Step::Hue { 0.0 } else { 1.0 };
        assert_eq!(factor, neutral, "{step:?}");
    }
}
