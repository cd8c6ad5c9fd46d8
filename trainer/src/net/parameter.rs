//! A trained tensor, and access to its values on the CPU.

use std::cell::Cell;
use std::ops::Deref;

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Storage, Tensor};

use crate::net::ModelError;

/// The kind of a parameter: the optimiser treats the two differently.
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
    name: String,
    kind: ParameterKind,
    tensor: Tensor,
}

impl Parameter {
    /// A parameter whose values are `tensor`, f32 and contiguous on the CPU.
    pub(crate) fn new(name: String, kind: ParameterKind, tensor: Tensor) -> Self {
        Self { name, kind, tensor }
    }

    /// Replaces the values.
    ///
    /// # Errors
    /// Another shape, or a tensor that candle cannot convert to f32 on the CPU.
    pub(crate) fn set(&mut self, tensor: &Tensor) -> Result<(), ModelError> {
        if tensor.dims() != self.tensor.dims() {
            return Err(ModelError::ParameterShape {
                name: self.name.clone(),
                found: tensor.dims().to_vec(),
                expected: self.tensor.dims().to_vec(),
            });
        }
        let values = tensor.flatten_all()?.to_dtype(DType::F32)?;
        let values = values.to_vec1::<f32>()?;
        self.tensor = Tensor::from_vec(values, tensor.dims(), &Device::Cpu)?;
        Ok(())
    }

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

    /// The tensor itself, f32 and contiguous. The optimiser changes it in place: copy it to keep the
    /// values.
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
    pub(crate) fn update(&self, change: impl FnOnce(&mut [f32])) -> Result<(), candle_core::Error> {
        self.tensor.inplace_op1(&Update(Cell::new(Some(change))))
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

/// A change of a tensor's values, which candle applies once.
struct Update<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<(), candle_core::Error> {
        match (storage, self.0.take()) {
            (CpuStorage::F32(values), Some(change)) => {
                change(values);
                Ok(())
            }
            _ => candle_core::bail!("parameters are f32 tensors on the CPU"),
        }
    }
}
