//! The project's own kernels: loading, and one checked wrapper for each.
//!
//! Contract: a wrapper is safe to call. It checks that every view has the type and at least the length
//! that the kernel reads or writes for the sizes given, and only then hands pointers to [`launch`]. The
//! signatures are those of `kernels.md` beside the sources.
//!
//! [`launch`]: Gpu::launch

mod image;
mod loss;
mod norm;
pub(crate) mod product;
mod sgd;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaFunction, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;

use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};

pub(crate) use image::{Affine, Canvas, MeanView, PLACE};
pub(crate) use sgd::{SgdEntry, SgdTable};
pub(crate) use values::Channels;

/// Threads of a block, as the kernels' header has it.
const BLOCK: u32 = 256;

/// Blocks of a kernel that strides over its values: twice what the largest cards run at once, since
/// blocks that come later only cost their start.
const BLOCKS: u64 = 1 << 12;

/// A source file's name, its PTX, and the kernels in it: without a suffix, and with one for each type.
struct Source {
    ptx: &'static str,
    plain: &'static [&'static str],
    typed: &'static [&'static str],
}

macro_rules! ptx {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx"))
    };
}

const SOURCES: [Source; 10] = [
    Source {
        ptx: ptx!("finish"),
        plain: &[],
        typed: &["finish"],
    },
    Source {
        ptx: ptx!("activation"),
        plain: &[],
        typed: &["bias_activation", "activation_backward"],
    },
    Source {
        ptx: ptx!("bias"),
        plain: &["bias_final"],
        typed: &["bias_partial"],
    },
    Source {
        ptx: ptx!("pool"),
        plain: &[],
        typed: &["max_pool", "max_pool_backward"],
    },
    Source {
        ptx: ptx!("lrn"),
        plain: &[],
        typed: &["lrn", "lrn_backward"],
    },
    Source {
        ptx: ptx!("map_norm"),
        plain: &[],
        typed: &["map_norm", "map_norm_backward"],
    },
    Source {
        ptx: ptx!("dropout"),
        plain: &[],
        typed: &["dropout"],
    },
    Source {
        ptx: ptx!("loss"),
        plain: &["scores_add"],
        typed: &["cross_entropy"],
    },
    Source {
        ptx: ptx!("sgd"),
        plain: &["sgd", "norm_partial", "norm_final"],
        typed: &[],
    },
    Source {
        ptx: ptx!("values"),
        plain: &["cast_f32_bf16", "cast_bf16_f32"],
        typed: &["widen", "narrow", "add_scaled"],
    },
];

/// The kernels of a card: by name, and by type where there is one for each.
pub(crate) struct Kernels(HashMap<(&'static str, Option<Element>), CudaFunction>);

impl Kernels {
    /// Hands the PTX to the driver, which translates it for the card.
    ///
    /// # Errors
    /// A driver that is older than the PTX, or a kernel that is missing in it.
    pub(crate) fn load(context: &Arc<CudaContext>) -> Result<Self, CudaError> {
        let mut functions = HashMap::new();
        for source in SOURCES {
            let module = context
                .load_module(Ptx::from_src(source.ptx))
                .doing("translate the kernels for this card")?;
            let plain = source.plain.iter().map(|&name| (name, None));
            let types = [(Element::F32, "_f32"), (Element::Bf16, "_bf16")];
            let typed = source
                .typed
                .iter()
                .flat_map(|&name| types.map(|kind| (name, Some(kind))));
            for (name, kind) in plain.chain(typed) {
                let suffix = kind.map_or("", |(_, suffix)| suffix);
                let function = module
                    .load_function(&format!("{name}{suffix}"))
                    .doing("find a kernel")?;
                functions.insert((name, kind.map(|(element, _)| element)), function);
            }
        }
        Ok(Self(functions))
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy)]
enum Argument {
    Pointer(u64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

impl From<View<'_>> for Argument {
    fn from(view: View<'_>) -> Self {
        Self::Pointer(view.pointer)
    }
}

impl From<&ViewMut<'_>> for Argument {
    fn from(view: &ViewMut<'_>) -> Self {
        Self::Pointer(view.pointer)
    }
}

/// A size that the kernels take in 32 bits.
fn size(size: usize) -> Argument {
    Argument::U32(u32::try_from(size).expect("sizes of layers fit into 32 bits"))
}

/// A number of values.
fn count(count: usize) -> Argument {
    Argument::U64(count as u64)
}

/// Blocks for `values` values, a thread for each or a stride.
///
/// # Panics
/// If the kernels' 32 bits do not hold their numbers: ten thousand images and more at once.
fn blocks(values: usize) -> u32 {
    assert!(u32::try_from(values).is_ok(), "{values} values at once");
    (values as u64).div_ceil(u64::from(BLOCK)).clamp(1, BLOCKS) as u32
}

impl Gpu {
    /// Queues a kernel.
    ///
    /// # Safety
    /// The arguments are those of the kernel, in number, order and type, and its pointers are to
    /// memory of this card, large enough for what the kernel does with these sizes.
    unsafe fn launch(
        &self,
        (name, element): (&'static str, Option<Element>),
        grid: (u32, u32),
        arguments: &[Argument],
    ) -> Result<(), CudaError> {
        let function = self
            .kernels
            .0
            .get(&(name, element))
            .unwrap_or_else(|| panic!("no kernel {name} for {element:?}"));
        let mut builder = self.stream.launch_builder(function);
        for argument in arguments {
            match argument {
                Argument::Pointer(value) | Argument::U64(value) => builder.arg(value),
                Argument::U32(value) => builder.arg(value),
                Argument::F32(value) => builder.arg(value),
                Argument::F64(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: (grid.0, grid.1, 1),
            block_dim: (BLOCK, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { builder.launch(config) }.doing(name)?;
        Ok(())
    }
}

/// Checks a view's length and type.
fn check(view: View<'_>, element: Element, len: usize) {
    assert_eq!((view.element, view.len), (element, len));
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, SOURCES};

    #[test]
    fn a_block_has_the_headers_threads() {
        let header = include_str!("kernels.cuh");
        assert!(header.contains(&format!("constexpr u32 BLOCK = {BLOCK};")));
    }

    #[test]
    fn every_kernel_is_in_its_ptx() {
        for source in SOURCES {
            let entry = |name: &str| {
                let entry = format!(".visible .entry {name}(");
                assert!(source.ptx.contains(&entry), "{name}");
            };
            source.plain.iter().for_each(|name| entry(name));
            for name in source.typed {
                entry(&format!("{name}_f32"));
                entry(&format!("{name}_bf16"));
            }
        }
    }
}
