//! The project's own kernels and cuBLAS's products: a checked function for each.
//!
//! Contract: the functions are safe to call. Each checks that every view has the type and at least the
//! length that the kernel reads or writes for the sizes given, and only then launches it
//! ([`Device::launch`](crate::cuda::device::Device::launch)). The signatures are those of `kernels.md`
//! beside the sources.

mod activation;
mod bias;
mod dropout;
mod finish;
mod loss;
mod pool;
mod product;
mod response;
mod sgd;
mod values;

use crate::cuda::device::{Element, View};

pub(crate) use self::{
    activation::{activation_backward, activation_backward_joined, bias_activation},
    bias::{activation_bias_gradient, bias_gradient, bias_scratch},
    dropout::dropout,
    finish::{Affine, Bytes, Canvas, MeanView, PLACE, finish, place},
    loss::{Loss, cross_entropy, loss_scratch},
    pool::{PoolColumns, PoolGradient, max_pool, max_pool_backward},
    product::{product, product_input, product_weight},
    response::{NormChannels, NormGradient, lrn, lrn_backward, map_norm, map_norm_backward},
    sgd::{SgdEntry, SgdTable, sgd},
    values::{ConvKernels, add_scaled, cast, narrow, widen},
};

/// Checks a view's length and type.
fn check(view: View<'_>, element: Element, len: usize) {
    assert_eq!((view.element, view.len), (element, len));
}
