use shardmill_formats::Stream;

use super::*;

const SQUARE: RecordShape = RecordShape {
    height: 256,
    width: 256,
};
const SCALE: (f64, f64) = (0.08, 1.0);
const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

fn philox() -> Philox {
    Philox::new(11, Stream::Augment).derive(2)
}

#[test]
fn area_is_uniform_and_the_ratio_uniform_in_its_logarithm() {
    // Areas up to half of the record always fit, so nothing is drawn twice.
    let (scale, n) = ((0.1, 0.5), 20_000);
    let (mut areas, mut ratios, mut rows) = ([0_u32; 10], [0_u32; 10], 0.0);
    for sample in 0..n {
        let found = window(SQUARE, scale, RATIO, &philox(), sample);
        let (height, width) = (found.height as f64, found.width as f64);
        let area = (height * width / 65_536.0 - 0.1) / 0.4;
        let ratio = (width / height).ln() / (2.0 * RATIO.1.ln()) + 0.5;
        areas[((area * 10.0) as usize).min(9)] += 1;
        ratios[((ratio * 10.0) as usize).min(9)] += 1;
        assert!(found.top + found.height <= 256 && found.left + found.width <= 256);
        rows += found.top as f64 / (256.0 - height).max(1.0);
    }
    for counts in [areas, ratios] {
        let expected = n as f64 / 10.0;
        let chi: f64 = counts
            .iter()
            .map(|c| (f64::from(*c) - expected).powi(2) / expected)
            .sum();
        // Sides are whole pixels, which moves a few across a bound: twice what chance passes once
        // in a thousand.
        assert!(chi < 56.0, "{counts:?}");
    }
    let middle = rows / n as f64;
    assert!((middle - 0.5).abs() < 0.01, "{middle}");
}

#[test]
fn the_centre_is_taken_when_nothing_fits() {
    let wide = RecordShape {
        height: 10,
        width: 100,
    };
    // Windows of the whole area and a ratio near 1 are higher than the record.
    let found = window(wide, (1.0, 1.0), RATIO, &philox(), 0);
    let expected = Rectangle {
        top: 0,
        left: 43,
        height: 10,
        width: 13,
    };
    assert_eq!(found, expected);
    let high = RecordShape {
        height: 100,
        width: 10,
    };
    let found = window(high, (1.0, 1.0), RATIO, &philox(), 0);
    assert_eq!((found.height, found.width, found.top), (13, 10, 43));
    let whole = window(SQUARE, (1.0, 1.0), (0.999, 1.001), &philox(), 0);
    assert!(whole.height >= 255 && whole.width >= 255, "{whole:?}");
}

#[test]
fn samples_and_epochs_differ() {
    let draw = |epoch, sample| {
        let philox = Philox::new(11, Stream::Augment).derive(epoch);
        window(SQUARE, SCALE, RATIO, &philox, sample)
    };
    assert_eq!(draw(0, 0), draw(0, 0));
    assert_ne!(draw(0, 0), draw(0, 1));
    assert_ne!(draw(0, 0), draw(1, 0));
}
