//! Computes a network on one or several NVIDIA GPUs, and asks whether there is one.
//!
//! Contract: apart from `cpu/ops/gemm.rs` the only place of the crate with unsafe code: calls into the
//! CUDA driver, cuDNN, cuBLAS and NCCL, and launches of the kernels in `kernels`. Each file states its
//! promise in its first lines; every pointer that is handed to a GPU comes from a view
//! (`device/memory.rs`) whose length and type were checked against what is asked for.
#![allow(unsafe_code)]

#[cfg(feature = "cuda")]
pub(crate) mod conv;
pub(crate) mod device;
#[cfg(feature = "cuda")]
mod devices;
#[cfg(feature = "cuda")]
pub(crate) mod kernels;
#[cfg(any(feature = "cuda", test))]
mod layout;
#[cfg(feature = "cuda")]
mod network;
pub(crate) mod probe;
#[cfg(feature = "cuda")]
mod replica;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod scores;
#[cfg(feature = "cuda")]
mod upload;

#[cfg(feature = "cuda")]
use crate::net::DropoutKey;

#[cfg(feature = "cuda")]
pub(crate) use self::{
    device::CudaError,
    devices::Devices,
    network::{LayerAlgorithm, StageSeconds, asked_convolutions},
    replica::{Replica, STEPS},
    upload::{AsPixels, Pixels, Staged},
};

/// Numbers that a GPU keeps of a step: the sum of its images' losses, their top-1 and top-5 hits, and
/// the square of the length of the whole batch's gradient.
#[cfg(any(feature = "cuda", test))]
const NUMBERS: usize = 4;

/// The dropout of the images of a batch from number `first` on.
#[cfg(feature = "cuda")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchDropout {
    key: DropoutKey,
    first: usize,
}

/// Consecutive rows of a batch, those on one of several GPUs.
#[cfg(any(feature = "cuda", test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The first.
    first: usize,
    /// How many.
    rows: usize,
    /// Rows of the whole batch.
    whole: usize,
}

#[cfg(any(feature = "cuda", test))]
impl Slice {
    /// The rows of GPU number `index` of `gpus`: as many as the others have, or one more for the first
    /// ones if the batch does not divide. None for the last ones if there are fewer rows than GPUs.
    pub(crate) const fn of(index: usize, gpus: usize, whole: usize) -> Self {
        let (each, more) = (whole / gpus, whole % gpus);
        let extra = if index < more { index } else { more };
        Self {
            first: index * each + extra,
            rows: each + (index < more) as usize,
            whole,
        }
    }

    /// The slice's part of `values`, of which every row of the whole batch has as many.
    ///
    /// # Panics
    /// If they are not whole rows.
    fn part<'a, T>(&self, values: &'a [T]) -> &'a [T] {
        if self.whole == 0 {
            return values;
        }
        assert_eq!(values.len() % self.whole, 0, "whole rows");
        let width = values.len() / self.whole;
        &values[self.first * width..(self.first + self.rows) * width]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Slice;

    #[test]
    fn the_first_gpus_take_what_does_not_divide() {
        let rows = |gpus, whole| -> Vec<usize> {
            (0..gpus)
                .map(|index| Slice::of(index, gpus, whole).rows)
                .collect()
        };
        assert_eq!(rows(3, 128), [43, 43, 42]);
        assert_eq!(rows(4, 2), [1, 1, 0, 0]);
        assert_eq!(rows(1, 7), [7]);
    }

    proptest! {
        #[test]
        fn slices_put_together_are_the_batch(gpus in 1_usize..9, whole in 0_usize..70, width in 0_usize..4) {
            let values: Vec<usize> = (0..whole * width).collect();
            let mut joined = Vec::new();
            let mut next = 0;
            for index in 0..gpus {
                let slice = Slice::of(index, gpus, whole);
                prop_assert_eq!(slice.first, next);
                prop_assert!(slice.rows.abs_diff(whole / gpus) <= 1);
                next += slice.rows;
                joined.extend_from_slice(slice.part(&values));
            }
            prop_assert_eq!(next, whole);
            prop_assert_eq!(joined, values);
        }
    }
}
