//! A trained tensor, and access to its values on the CPU.

use std::ops::Deref;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Tensor};

/// What a parameter is: the optimiser treats the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// Kernels of a convolution or the matrix of a fully connected layer.
    Weight,
    /// One value per output channel.
    Bias,
}

/// A named tensor of the network.
///
/// Convolution kernels have shape `[outputs, kernel, kernel, inputs / groups]`, fully connected
/// weights `[outputs, inputs]` with fc6's inputs in NHWC order, biases `[outputs]`.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) kind: ParameterKind,
    pub(crate) tensor: Tensor,
}

impl Parameter {
    /// `conv1.weight`, `conv1.bias`, ... `fc8.bias`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Weight or bias.
    #[must_use]
    pub fn kind(&self) -> ParameterKind {
        self.kind
    }

    /// The tensor itself, f32 and contiguous; the optimiser changes it in place, so copy it where a
    /// later step must not show.
    #[must_use]
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensor.elem_count()
    }

    /// Whether the tensor has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, for as long as the guard lives.
    ///
    /// # Panics
    /// If the tensor is not an f32 tensor on the CPU: [`Model`](crate::net::Model) makes no other.
    #[must_use]
    pub fn values(&self) -> impl Deref<Target = [f32]> + '_ {
        Values(self.tensor.storage_and_layout().0)
    }

    /// Changes the values in place.
    ///
    /// # Errors
    /// What candle reports.
    pub(crate) fn update(
        &self,
        change: impl Fn(&mut [f32]) + Sync,
    ) -> Result<(), candle_core::Error> {
        self.tensor.inplace_op1(&Update(change))
    }
}

/// A read guard over a tensor's storage, seen as the values in it.
struct Values<G>(G);

impl<G: Deref<Target = Storage>> Deref for Values<G> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.0 {
            Storage::Cpu(CpuStorage::F32(values)) => values,
            _ => panic!("parameters are f32 tensors on the CPU"),
        }
    }
}

struct Update<F>(F);

impl<F: Fn(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<(), candle_core::Error> {
        match storage {
            CpuStorage::F32(values) => {
                (self.0)(values);
                Ok(())
            }
            _ => candle_core::bail!("parameters are f32 tensors"),
        }
    }
}
