//! What our kernels do with channels in two columns, each a tensor of its own, against the CPU's joined channels.

use crate::cpu::ops::{activation, lrn, map_norm, max_pool2d};
use crate::cuda::device::{CudaError, Element};
use crate::cuda::kernels::{self, NormChannels, NormGradient, PoolColumns, PoolGradient};
use crate::net::config::{Activation, LrnConfig};
use crate::net::layer::MapNormLayer;
use crate::net::shape::{MapShape, PoolShape};
use crate::tools::check::ops::Ops;

const CONFIG: LrnConfig = LrnConfig {
    size: 5,
    k: 2.0,
    alpha: 1e-1,
    beta: 0.75,
};

/// Pixels of `channels` channels as one tensor, or as two with half of the channels each.
fn placed(values: &[f32], channels: usize, columns: usize) -> Vec<f32> {
    let part = channels / columns;
    let of_column = |column: usize| {
        let pixels = values.chunks_exact(channels);
        pixels.flat_map(move |pixel| &pixel[column * part..][..part])
    };
    (0..columns).flat_map(of_column).copied().collect()
}

impl Ops<'_> {
    pub(super) fn columns(&mut self) -> Result<(), CudaError> {
        // Whole packs of both types, of f32 alone, and of neither.
        for channels in [96, 24, 10] {
            for columns in [[1, 2], [2, 1], [2, 2]] {
                self.pool_in_columns(channels, columns)?;
            }
            self.lrn_in_columns(channels)?;
            self.map_norm_in_columns(channels)?;
            self.join(channels)?;
        }
        Ok(())
    }

    fn pool_in_columns(
        &mut self,
        channels: usize,
        [from, to]: [usize; 2],
    ) -> Result<(), CudaError> {
        let rows = 3;
        let shape = PoolShape {
            height: 9,
            width: 7,
            channels,
            kernel: 3,
            stride: 2,
            cut: false,
        };
        let columns = PoolColumns {
            input: from,
            output: to,
        };
        let values = self.numbers(41, rows * shape.input_len());
        let gradient = self.numbers(42, rows * shape.output_len());
        let (mut output, mut back) = (vec![0.0; gradient.len()], vec![0.0; values.len()]);
        let mut winners = vec![0; shape.output_len()];
        for row in 0..rows {
            let image = &values[row * shape.input_len()..][..shape.input_len()];
            let own = row * shape.output_len()..(row + 1) * shape.output_len();
            max_pool2d::forward(&shape, image, &mut output[own.clone()], &mut winners);
            let target = &mut back[row * shape.input_len()..][..shape.input_len()];
            max_pool2d::backward(&shape, &winners, &gradient[own], target);
        }
        let input = self.upload(&placed(&values, channels, from))?;
        let dy = self.upload(&placed(&gradient, channels, to))?;
        let mut found = self.empty(output.len())?;
        let mut places = self.device.buffer(Element::U8, output.len())?;
        let (x, into, at) = (input.view(), found.view_mut(), places.view_mut());
        kernels::max_pool(self.device, &shape, columns, rows, x, into, at)?;
        let expected = placed(&output, channels, to);
        self.compare("max pool, columns", found.view(), &expected, 0.0)?;
        let mut found = self.empty(values.len())?;
        let (at, dy, into) = (places.view(), dy.view(), found.view_mut());
        let of = PoolGradient {
            winners: at,
            gradient: dy,
            after_relu: None,
        };
        kernels::max_pool_backward(self.device, &shape, columns, rows, of, into)?;
        let (expected, t) = (placed(&back, channels, from), self.tolerance().pointwise);
        self.compare("max pool, columns, backward", found.view(), &expected, t)
    }

    /// Across the border of the columns.
    fn lrn_in_columns(&mut self, channels: usize) -> Result<(), CudaError> {
        let t = self.tolerance().pointwise;
        let values = self.numbers(43, 35 * channels);
        let gradient = self.numbers(44, values.len());
        let mut scratch = vec![0.0; lrn::scratch_len(channels, &CONFIG)];
        let mut expected = vec![0.0; values.len()];
        let both = NormChannels {
            count: channels,
            columns: 2,
        };
        let input = self.upload(&placed(&values, channels, 2))?;
        let dy = self.upload(&placed(&gradient, channels, 2))?;
        let mut found = self.empty(values.len())?;
        lrn::forward(&CONFIG, channels, &values, &mut scratch, &mut expected);
        let (x, into) = (input.view(), found.view_mut());
        kernels::lrn(self.device, &CONFIG, both, x, into)?;
        let what = "response normalisation, columns";
        self.compare(what, found.view(), &placed(&expected, channels, 2), t)?;
        let to = &mut expected;
        lrn::backward(&CONFIG, channels, &values, &gradient, &mut scratch, to);
        let (dy, into) = (dy.view(), found.view_mut());
        let from = NormGradient {
            input: x,
            gradient: dy,
            after_relu: false,
        };
        kernels::lrn_backward(self.device, &CONFIG, both, from, into)?;
        let what = "response normalisation, columns, backward";
        self.compare(what, found.view(), &placed(&expected, channels, 2), t)
    }

    fn map_norm_in_columns(&mut self, channels: usize) -> Result<(), CudaError> {
        let (t, rows) = (self.tolerance().pointwise, 2);
        let shape = MapShape {
            height: 5,
            width: 6,
            channels,
        };
        let len = shape.len();
        let (values, gradient) = (self.numbers(45, rows * len), self.numbers(46, rows * len));
        let mut scratch = vec![0.0; map_norm::scratch_len(&shape)];
        let (mut forward, mut backward) = (vec![0.0; rows * len], vec![0.0; rows * len]);
        for row in 0..rows {
            let own = row * len..(row + 1) * len;
            let (image, dy) = (&values[own.clone()], &gradient[own.clone()]);
            let to = &mut forward[own.clone()];
            map_norm::forward(&CONFIG, &shape, image, &mut scratch, to);
            let to = &mut backward[own];
            map_norm::backward(&CONFIG, &shape, image, dy, &mut scratch, to);
        }
        let norm = MapNormLayer {
            name: String::new(),
            shape,
            config: CONFIG,
        };
        let input = self.upload(&placed(&values, channels, 2))?;
        let dy = self.upload(&placed(&gradient, channels, 2))?;
        let mut found = self.empty(values.len())?;
        let (x, into) = (input.view(), found.view_mut());
        kernels::map_norm(self.device, &norm, [rows, 2], x, into)?;
        let what = "map normalisation, columns";
        self.compare(what, found.view(), &placed(&forward, channels, 2), t)?;
        let (dy, into) = (dy.view(), found.view_mut());
        kernels::map_norm_backward(self.device, &norm, [rows, 2], x, dy, into)?;
        let what = "map normalisation, columns, backward";
        self.compare(what, found.view(), &placed(&backward, channels, 2), t)
    }

    /// The gradient behind an activation, from columns to joined channels.
    fn join(&mut self, channels: usize) -> Result<(), CudaError> {
        let t = self.tolerance().pointwise;
        let output = self.numbers(47, 35 * channels);
        let gradient = self.numbers(48, output.len());
        for function in [None, Some(Activation::Relu), Some(Activation::Tanh)] {
            let mut expected = gradient.clone();
            if let Some(function) = function {
                activation::backward(function, &output, &mut expected);
            }
            let y = self.upload(&placed(&output, channels, 2))?;
            let dy = self.upload(&placed(&gradient, channels, 2))?;
            let mut found = self.empty(output.len())?;
            let (y, dy, into) = (y.view(), dy.view(), found.view_mut());
            kernels::activation_backward_joined(self.device, function, channels, y, dy, into)?;
            self.compare("activation, backward, joined", found.view(), &expected, t)?;
        }
        Ok(())
    }
}
