//! Which samples of a plane make a pixel of the record, and how much each of them counts, along one axis.
//!
//! The places and weights are those of Pillow's resize: a filter that is widened by the scale when it
//! shrinks, cut at the edges of the image and brought to a sum of one. Colours that were sampled down
//! are first brought to full size as libjpeg does it, in thought: both steps are sums of samples, so the
//! weights of both together are worked out here, and no sample is ever written twice.

use super::options::DecodeOptions;

/// A weight of one.
pub(super) const ONE: i32 = 1 << 14;

/// One axis of a resize.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// Pixels of the image along it.
    pub(super) length: usize,
    /// Where the pixels that are kept begin, and how many they are.
    pub(super) span: (f64, f64),
    /// Pixels of the record.
    pub(super) size: usize,
    /// Pixels of the image for each sample of the plane: 1 or 2.
    pub(super) step: usize,
    /// The plane's first sample within all samples, and how many samples it has.
    pub(super) samples: (usize, usize),
}

/// The weights of every pixel along an axis.
#[derive(Debug, Default)]
pub(super) struct Taps {
    /// What they were made for.
    made_for: Option<(Axis, DecodeOptions)>,
    /// Weights of each pixel, zeros among them.
    count: usize,
    /// The first sample of each pixel.
    starts: Vec<usize>,
    /// In 1/[`ONE`], `count` to a pixel.
    weights: Vec<i16>,
    /// How many weights each pixel has.
    used: Vec<usize>,
    /// Memory for the weights of one pixel.
    exact: Vec<f64>,
}

/// The samples of one pixel of the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap<'a> {
    pub(super) start: usize,
    pub(super) weights: &'a [i16],
}

impl Taps {
    /// Whether these are the weights along `axis`.
    pub(super) fn are_for(&self, axis: Axis, options: &DecodeOptions) -> bool {
        self.made_for == Some((axis, *options))
    }

    /// Works the weights out.
    pub(super) fn make(&mut self, axis: Axis, options: &DecodeOptions) {
        self.made_for = Some((axis, *options));
        self.starts.clear();
        self.weights.clear();
        self.used.clear();
        let window = Window::new(axis, options);
        let most = window.most();
        self.weights.resize(axis.size * most, 0);
        let mut longest = 1;
        for (pixel, weights) in self.weights.chunks_exact_mut(most).enumerate() {
            let first = window.fill(pixel, &mut self.exact);
            let (skipped, used) = rounded(&self.exact, weights);
            self.starts.push(first + skipped);
            self.used.push(used);
            longest = longest.max(used);
        }
        // Closer together, and none beyond the last sample: zeros in front instead of after.
        self.count = longest;
        for (pixel, (start, &used)) in self.starts.iter_mut().zip(&self.used).enumerate() {
            let from = pixel * most;
            let place = (*start).min(axis.samples.1 - longest);
            let to = pixel * longest + *start - place;
            self.weights.copy_within(from..from + used, to);
            self.weights[pixel * longest..to].fill(0);
            self.weights[to + used..(pixel + 1) * longest].fill(0);
            *start = place;
        }
    }

    /// The samples of pixel `i`.
    #[inline(always)]
    pub(super) fn pixel(&self, i: usize) -> Tap<'_> {
        Tap {
            start: self.starts[i],
            weights: &self.weights[i * self.count..][..self.count],
        }
    }
}

/// The window that slides along an axis.
struct Window {
    options: DecodeOptions,
    axis: Axis,
    /// Pixels of the image for one of the record.
    scale: f64,
    /// Pixels that the filter reaches on either side of a pixel's middle.
    reach: f64,
    /// Filter units in a pixel.
    unit: f64,
}

impl Window {
    fn new(axis: Axis, options: &DecodeOptions) -> Self {
        let scale = axis.span.1 / axis.size as f64;
        let wide = scale.max(1.0);
        Self {
            options: *options,
            axis,
            scale,
            reach: options.filter_reach() * wide,
            unit: 1.0 / wide,
        }
    }

    /// At least as many samples as any pixel has.
    fn most(&self) -> usize {
        ((2.0 * self.reach) as usize + 2) / self.axis.step + 2 * self.axis.step
    }

    /// Works out how much each sample counts for a pixel; gives the first of them.
    fn fill(&self, pixel: usize, exact: &mut Vec<f64>) -> usize {
        let axis = &self.axis;
        let center = axis.span.0 + (pixel as f64 + 0.5) * self.scale;
        let low = (center - self.reach + 0.5).max(0.0) as usize;
        let high = ((center + self.reach + 0.5) as usize)
            .min(axis.length)
            .max(low + 1);
        let weight = |k: usize| self.options.weight((k as f64 + 0.5 - center) * self.unit);
        // The plane's sample that stands for sample `i` of all, which may be beyond an edge.
        let (start, count) = axis.samples;
        let place = |i: usize| i.clamp(start, start + count - 1) - start;
        let mut sum = 0.0;
        exact.clear();
        let first = if axis.step == 1 && low >= start && high <= start + count {
            for k in low..high {
                let weight = weight(k);
                sum += weight;
                exact.push(weight);
            }
            low - start
        } else {
            let near = |k: usize| k / axis.step;
            let first = place(near(low).saturating_sub(axis.step - 1));
            let last = place(near(high - 1) + axis.step - 1);
            exact.resize(last - first + 1, 0.0);
            for k in low..high {
                let weight = weight(k);
                sum += weight;
                // Where samples are fewer: three parts of the nearest and one of the next nearest.
                let next = if axis.step == 1 {
                    k
                } else if k % 2 == 0 {
                    near(k).saturating_sub(1)
                } else {
                    near(k) + 1
                };
                exact[place(near(k)) - first] += 0.75 * weight;
                exact[place(next) - first] += 0.25 * weight;
            }
            first
        };
        if sum == 0.0 {
            // A box between two pixels, by the rounding of its edges.
            exact[0] = 1.0;
            sum = 1.0;
        }
        let whole = 1.0 / sum;
        exact.iter_mut().for_each(|weight| *weight *= whole);
        first
    }
}

/// Rounds weights so that their sum stays one, without zeros at the ends; gives the number of zeros in
/// front, and of weights.
fn rounded(exact: &[f64], whole: &mut [i16]) -> (usize, usize) {
    let (mut sum, mut before, mut skipped, mut used, mut last) = (0.0, 0, 0, 0, 0);
    for weight in exact {
        sum += weight;
        // The nearest whole number: the sum is above -1.
        let now = (sum * f64::from(ONE) + f64::from(ONE) + 0.5) as i32 - ONE;
        if now == before && used == 0 {
            skipped += 1;
        } else {
            whole[used] = (now - before) as i16;
            used += 1;
            if now != before {
                last = used;
            }
        }
        before = now;
    }
    (skipped, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Filter;

    #[test]
    fn weights_add_up_to_one_and_stay_within_the_plane() {
        for &filter in Filter::ALL {
            let options = DecodeOptions {
                filter,
                ..DecodeOptions::default()
            };
            for (length, size) in [(1, 1), (1, 7), (2, 5), (300, 256), (256, 256), (4000, 31)] {
                for step in [1, 2] {
                    let axis = Axis {
                        length,
                        span: (0.25, length as f64 - 0.25),
                        size,
                        step,
                        samples: (0, length.div_ceil(step)),
                    };
                    let mut taps = Taps::default();
                    taps.make(axis, &options);
                    for i in 0..size {
                        let tap = taps.pixel(i);
                        let sum: i32 = tap.weights.iter().copied().map(i32::from).sum();
                        assert_eq!(sum, ONE, "{filter} {length} {size} {step} {i}");
                        assert!(tap.start + tap.weights.len() <= axis.samples.1);
                    }
                }
            }
        }
    }

    #[test]
    fn a_resize_to_the_same_size_takes_each_sample_as_it_is() {
        let axis = Axis {
            length: 9,
            span: (0.0, 9.0),
            size: 9,
            step: 1,
            samples: (0, 9),
        };
        let mut taps = Taps::default();
        taps.make(axis, &DecodeOptions::default());
        for i in 0..9 {
            assert_eq!(
                (taps.pixel(i).start, taps.pixel(i).weights),
                (i, &[16_384_i16][..])
            );
        }
    }
}
