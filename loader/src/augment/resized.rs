//! The window of a random resized crop, by torchvision's rule.

use shardmill_formats::{Philox, RecordShape};
use shardmill_kernels::Rectangle;

/// Windows that are tried before the centre is used.
const TRIES: u32 = 10;
/// First of a sample's counters for the tries, two for each.
const COUNTER: u32 = 16;

/// Draws a window whose share of the record's area is uniform in `scale` and whose aspect ratio
/// (width to height) is uniform in its logarithm over `ratio`. If ten windows do not fit, it is the
/// largest window in the centre whose ratio is within bounds.
pub(super) fn window(
    shape: RecordShape,
    scale: (f64, f64),
    ratio: (f64, f64),
    philox: &Philox,
    sample: u64,
) -> Rectangle {
    let area = f64::from(shape.height) * f64::from(shape.width);
    let logs = (libm::log(ratio.0), libm::log(ratio.1));
    let between = |(low, high): (f64, f64), unit: f64| low + (high - low) * unit;
    for attempt in 0..TRIES {
        let [a, b, c, d] = philox.block(sample, COUNTER + 2 * attempt);
        let target = area * between(scale, Philox::unit_f64(a, b));
        let aspect = libm::exp(between(logs, Philox::unit_f64(c, d)));
        let width = libm::sqrt(target * aspect).round_ties_even() as u32;
        let height = libm::sqrt(target / aspect).round_ties_even() as u32;
        if (1..=shape.width).contains(&width) && (1..=shape.height).contains(&height) {
            let [y, x, ..] = philox.block(sample, COUNTER + 2 * attempt + 1);
            return Rectangle {
                top: Philox::below(y, shape.height - height + 1) as usize,
                left: Philox::below(x, shape.width - width + 1) as usize,
                height: height as usize,
                width: width as usize,
            };
        }
    }
    centre(shape, ratio)
}

fn centre(shape: RecordShape, ratio: (f64, f64)) -> Rectangle {
    let (rows, columns) = (f64::from(shape.height), f64::from(shape.width));
    let whole = columns / rows;
    let (height, width) = if whole < ratio.0 {
        ((columns / ratio.0).round_ties_even(), columns)
    } else if whole > ratio.1 {
        (rows, (rows * ratio.1).round_ties_even())
    } else {
        (rows, columns)
    };
    // A side that rounds to nothing is still one pixel.
    let (height, width) = (height.max(1.0) as usize, width.max(1.0) as usize);
    Rectangle {
        top: (shape.height as usize - height) / 2,
        left: (shape.width as usize - width) / 2,
        height,
        width,
    }
}

#[cfg(test)]
mod tests;
