//! The update of a variable.

use std::cell::Cell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use crate::candle_ops::{expect, with_values};
use crate::net::sgd::Rate;

/// Values updated by one task.
const CHUNK: usize = 1 << 16;

/// One step of stochastic gradient descent with momentum and weight decay, in place and in one pass on the
/// CPU: `v <- momentum v - decay lr w - lr g; w <- w + v`.
///
/// The velocity `v` has the weight's shape and begins at 0; the gradient is no view of the two. On a GPU
/// these are candle's own operations.
///
/// # Errors
/// Tensors that are not f32, or of different shapes; a weight that is its own velocity or gradient.
pub fn sgd_step(
    weight: &Var,
    velocity: &Var,
    gradient: &Tensor,
    momentum: f32,
    rate: Rate,
) -> Result<()> {
    expect("velocity", velocity.dims(), weight.dims())?;
    expect("gradient", gradient.dims(), weight.dims())?;
    if weight.id() == velocity.id() || [weight.id(), velocity.id()].contains(&gradient.id()) {
        bail!("sgd_step: weight, velocity and gradient must be three tensors")
    }
    let Rate { lr, decay } = rate;
    if !weight.device().is_cpu() {
        let pull = ((weight.as_tensor() * f64::from(decay))? + gradient)?;
        let moved = (velocity.as_tensor() * f64::from(momentum))?;
        velocity.set(&(moved - (pull * f64::from(lr))?)?)?;
        return weight.set(&(weight.as_tensor() + velocity.as_tensor())?);
    }
    let decay = decay * lr;
    with_values(gradient, |gradient| {
        update(velocity, |velocity| {
            update(weight, |weight| {
                weight
                    .par_chunks_mut(CHUNK)
                    .zip(velocity.par_chunks_mut(CHUNK))
                    .zip(gradient.par_chunks(CHUNK))
                    .for_each(|((weight, velocity), gradient)| {
                        for ((w, v), g) in weight.iter_mut().zip(velocity).zip(gradient) {
                            *v = momentum * *v - decay * *w - lr * g;
                            *w += *v;
                        }
                    });
            })
        })
    })??
}

/// Changes the values of a variable in place.
fn update<R>(variable: &Var, change: impl FnOnce(&mut [f32]) -> R) -> Result<R> {
    let result = Cell::new(None);
    let change = |values: &mut [f32]| result.set(Some(change(values)));
    variable.inplace_op1(&Update(Cell::new(Some(change))))?;
    match result.into_inner() {
        Some(result) => Ok(result),
        None => bail!("candle did not apply the update"),
    }
}

/// A change of a tensor's values, which candle applies once.
struct Update<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "shardmill-sgd-step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (storage, layout.contiguous_offsets(), self.0.take()) {
            (CpuStorage::F32(values), Some((start, end)), Some(change)) => {
                change(&mut values[start..end]);
                Ok(())
            }
            _ => bail!("sgd_step needs contiguous f32 variables"),
        }
    }
}
