//! The mean of every pixel over the training split, which the authors subtracted.

use candle_core::{DType, Device, Tensor};
use shardmill_loader::{Area, Normalize};

/// What part of a mean image is subtracted from a window of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeanCut {
    /// The part that the window shows, mirrored where the window is: each pixel's own mean.
    Window,
    /// The centre, for every window, and never mirrored: the authors' source.
    Center,
}

/// The mean of every pixel of the records, on the 0-255 scale, and how it is cut.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanImage {
    /// Side of the square records.
    side: usize,
    /// `[side, side, 3]`.
    values: Vec<f32>,
    cut: MeanCut,
}

impl MeanImage {
    /// The same image, cut in another way.
    #[must_use]
    pub fn with_cut(self, cut: MeanCut) -> Self {
        Self { cut, ..self }
    }

    /// How it is cut.
    #[must_use]
    pub const fn cut(&self) -> MeanCut {
        self.cut
    }

    /// From values, `[side, side, 3]`.
    ///
    /// # Panics
    /// If their number is another.
    pub(crate) fn new(side: usize, values: Vec<f32>, cut: MeanCut) -> Self {
        assert_eq!(values.len(), side * side * 3, "three for each pixel");
        Self { side, values, cut }
    }

    /// Side of the records that it is the mean of.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.side
    }

    /// The values, `[side, side, 3]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// As a tensor of a checkpoint, `[side, side, 3]`.
    pub(crate) fn tensor(&self) -> Result<Tensor, candle_core::Error> {
        let shape = (self.side, self.side, 3);
        Tensor::from_slice(&self.values, shape, &Device::Cpu)
    }

    /// From a checkpoint's tensor, for windows of `crop` pixels a side; `None` if it has another shape or
    /// is smaller than a window.
    pub(crate) fn from_tensor(
        tensor: &Tensor,
        cut: MeanCut,
        crop: usize,
    ) -> Result<Option<Self>, candle_core::Error> {
        match tensor.dims() {
            &[side, width, 3] if side == width && side >= crop => {
                let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                Ok(Some(Self { side, values, cut }))
            }
            _ => Ok(None),
        }
    }

    /// What replaces the channel's mean, already subtracted from a value, by the pixel's when it is
    /// added: `[side, side, 3]`, on the network's scale.
    pub(crate) fn difference(&self, normalize: &Normalize) -> Vec<f32> {
        let value = |(i, mean): (usize, &f32)| {
            let channel = i % 3;
            (normalize.mean[channel] - mean) / normalize.std[channel]
        };
        self.values.iter().enumerate().map(value).collect()
    }

    /// Where the part is that is subtracted from an image of `crop` pixels a side that shows `area`.
    pub(crate) const fn place(&self, area: Area, crop: usize) -> Area {
        match self.cut {
            MeanCut::Window => area,
            MeanCut::Center => {
                // Rounded down, as the loader's centre view is.
                let middle = ((self.side - crop) / 2) as u32;
                Area {
                    top: middle,
                    left: middle,
                    height: crop as u32,
                    width: crop as u32,
                    flip: false,
                }
            }
        }
    }

    /// `to = from + difference` for an image of `crop` pixels a side that shows `area`.
    pub(crate) fn shift(
        &self,
        difference: &[f32],
        area: Area,
        crop: usize,
        from: &[f32],
        to: &mut [f32],
    ) {
        let place = self.place(area, crop);
        let (top, left) = (place.top as usize, place.left as usize);
        for y in 0..crop {
            let row = ((top + y) * self.side + left) * 3;
            let difference = &difference[row..row + 3 * crop];
            let row = y * crop * 3..(y + 1) * crop * 3;
            let (from, to) = (&from[row.clone()], &mut to[row]);
            if place.flip {
                let pixels = to.as_chunks_mut::<3>().0.iter_mut();
                let values = from.as_chunks::<3>().0.iter();
                let shown = difference.as_chunks::<3>().0.iter().rev();
                for ((to, from), add) in pixels.zip(values).zip(shown) {
                    *to = std::array::from_fn(|c| from[c] + add[c]);
                }
            } else {
                for ((to, from), add) in to.iter_mut().zip(from).zip(difference) {
                    *to = from + add;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value is the byte minus the mean of its own pixel, over the deviation, plain and mirrored.
    #[test]
    fn the_windows_part_of_the_mean_is_subtracted_from_it() {
        let own_place = |y: usize, x: usize, [top, left]: [usize; 2]| [top + y, left + x];
        check(MeanCut::Window, own_place);
    }

    /// The means subtracted are those of the centre, for every window, mirrored or not.
    #[test]
    fn the_centre_is_subtracted_from_every_window_and_not_mirrored() {
        check(MeanCut::Center, |y, x, _| [1 + y, 1 + x]);
    }

    /// Compares windows with the definition; `place` gives where the mean of pixel (y, x) of the window
    /// is: of the window before it is mirrored for [`MeanCut::Window`], after for [`MeanCut::Center`].
    fn check(cut: MeanCut, place: impl Fn(usize, usize, [usize; 2]) -> [usize; 2]) {
        let (side, crop) = (7, 4);
        let values = (0..side * side * 3).map(|i| (i * 31 % 97) as f32);
        let mean = MeanImage::new(side, values.collect(), cut);
        let normalize = Normalize {
            mean: [120.0, 110.0, 100.0],
            std: [60.0, 50.0, 40.0],
        };
        let record: Vec<f32> = (0..side * side * 3)
            .map(|i| (i * 53 % 256) as f32)
            .collect();
        for (top, left, flip) in [(0, 0, false), (2, 3, false), (3, 1, true)] {
            let area = Area {
                top,
                left,
                height: crop as u32,
                width: crop as u32,
                flip,
            };
            let (mut given, mut expected) = (Vec::new(), Vec::new());
            for y in 0..crop {
                for shown in 0..crop {
                    let x = if flip { crop - 1 - shown } else { shown };
                    let at = ((top as usize + y) * side + left as usize + x) * 3;
                    let x = if cut == MeanCut::Window { x } else { shown };
                    let [row, column] = place(y, x, [top as usize, left as usize]);
                    let subtracted = (row * side + column) * 3;
                    for c in 0..3 {
                        let (byte, std) = (record[at + c], normalize.std[c]);
                        given.push((byte - normalize.mean[c]) / std);
                        expected.push((byte - mean.values[subtracted + c]) / std);
                    }
                }
            }
            let mut found = vec![f32::NAN; given.len()];
            mean.shift(&mean.difference(&normalize), area, crop, &given, &mut found);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }
}
