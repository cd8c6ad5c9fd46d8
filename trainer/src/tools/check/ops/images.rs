//! From bytes to conv1's input: the loader's values in f32, with and without a mean image.

use shardmill_loader::Normalize;

use crate::cuda::device::{Buffer, CudaError};
use crate::cuda::kernels::{self, Affine, Bytes, Canvas, MeanView, PLACE};
use crate::net::shape::ConvShape;
use crate::tools::check::numbers;
use crate::tools::check::ops::Ops;

/// Rows, pixels a side, zeros before and after, side and step of the kernel: blocks of 4x4 pixels where that is 4. In
/// the last two no window reaches the last pixels, and the last block is cut.
const CASES: [[usize; 6]; 6] = [
    [3, 7, 0, 3, 1, 1],
    [2, 9, 2, 2, 1, 1],
    [5, 6, 0, 0, 7, 2],
    [3, 16, 0, 3, 11, 4],
    [2, 17, 2, 2, 11, 4],
    [5, 14, 0, 0, 11, 4],
];

/// By how much records are larger than images.
const MARGIN: usize = 4;

impl Ops<'_> {
    pub(super) fn finish(&mut self) -> Result<(), CudaError> {
        for case in CASES {
            self.finish_one(case, false)?;
            self.finish_one(case, true)?;
        }
        Ok(())
    }

    fn finish_one(
        &mut self,
        [rows, side, before, after, kernel, stride]: [usize; 6],
        with_mean: bool,
    ) -> Result<(), CudaError> {
        let normalize = Normalize {
            mean: [123.7, 116.3, 103.5],
            std: [1.1, 2.0, 57.3],
        };
        let affine = Affine::of(normalize);
        let shape = ConvShape {
            height: side,
            width: side,
            inputs: 3,
            outputs: 1,
            kernel,
            stride,
            before,
            after,
            groups: 1,
        };
        let canvas = Canvas::new(shape, self.device.input_channels());
        let padded = canvas.conv_shape();
        let bytes: Vec<u8> = (0..rows * side * side * 3)
            .map(|i| (i * 37 % 256) as u8)
            .collect();
        let shifts = numbers(1, rows * 3);
        let record = side + MARGIN;
        let difference = numbers(2, record * record * 3);
        // The corners and what is between them, every other one mirrored.
        let places: Vec<[u32; PLACE]> = (0..rows)
            .map(|row| [row % (MARGIN + 1), (3 * row + 1) % (MARGIN + 1), row % 2])
            .map(|place| place.map(|value| value as u32))
            .collect();
        let images = Buffer::from_host(&self.device.stream, &bytes)?;
        let noise = Buffer::from_host(&self.device.stream, &shifts)?;
        let less = Buffer::from_host(&self.device.stream, &difference)?;
        let parts = Buffer::from_host(&self.device.stream, places.as_flattened())?;
        let mean = with_mean.then(|| MeanView {
            difference: less.view(),
            side: record,
            places: parts.view(),
        });
        let mut output = self.empty(rows * canvas.len())?;
        let batch = Bytes {
            images: images.view(),
            shifts: noise.view(),
            affine: &affine,
            mean,
        };
        kernels::finish(self.device, &canvas, batch, output.view_mut())?;
        let mut expected = vec![0.0; rows * canvas.len()];
        for (i, &byte) in bytes.iter().enumerate() {
            let (c, pixel) = (i % 3, i / 3);
            let (x, y) = (pixel % side, pixel / side % side);
            let row = pixel / (side * side);
            let block = if stride == 4 { 4 } else { 1 };
            let (below, right) = (y + before, x + before);
            if below / block >= padded.height || right / block >= padded.width {
                continue;
            }
            let pixel = below / block * padded.width + right / block;
            let within = (below % block * block + right % block) * 3;
            let at = row * canvas.len() + pixel * padded.inputs + within;
            let mut value = affine.apply(byte, c, shifts[row * 3 + c]);
            if with_mean {
                let [top, left, flip] = places[row].map(|value| value as usize);
                let x = if flip == 1 { side - 1 - x } else { x };
                value += difference[((top + y) * record + left + x) * 3 + c];
            }
            expected[at + c] = value;
        }
        // In f32 these are the loader's bytes, and the CPU's sums.
        let t = self.tolerance().copied;
        let what = if with_mean {
            "u8 to values minus a mean image, padded"
        } else {
            "u8 to values, padded"
        };
        self.compare(what, output.view(), &expected, t)
    }
}
