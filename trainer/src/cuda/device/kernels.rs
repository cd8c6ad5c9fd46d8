//! The kernels as the driver has loaded them, and their launch.
//!
//! Contract: [`Kernels::launch`] is the only call; the wrappers in `cuda/kernels` check every view before
//! they hand its pointer over.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc;
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;

use crate::cuda::device::error::{CudaError, ErrorContext};
use crate::cuda::device::memory::{Element, View, ViewMut};

/// Threads of a block, as in the kernels' header.
const BLOCK: u32 = 256;

/// Blocks of a kernel that strides over its values: twice what the largest GPUs run at once, since
/// blocks that come later only cost their start.
const MAX_BLOCKS: u64 = 1 << 12;

/// A source file as it is compiled, and its kernels: those without a suffix, and those with one for each type.
struct Source {
    /// PTX for GPUs of compute capability 7.5 and newer.
    ptx_75: &'static str,
    /// PTX for 8.0 and newer, where bf16 is converted by an instruction of its own.
    ptx_80: &'static str,
    /// Machine code for 9.0 to 9.9, which the driver need not translate.
    cubin_90: &'static [u8],
    plain: &'static [&'static str],
    typed: &'static [&'static str],
}

macro_rules! source {
    ($name:literal, plain: $plain:expr, typed: $typed:expr) => {
        Source {
            ptx_75: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".75.ptx")),
            ptx_80: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".80.ptx")),
            cubin_90: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".90.cubin")),
            plain: &$plain,
            typed: &$typed,
        }
    };
}

const SOURCES: [Source; 10] = [
    source!("finish", plain: [], typed: ["finish", "place"]),
    source!("activation", plain: [], typed: ["bias_activation", "activation_backward", "activation_backward_joined"]),
    source!("bias", plain: ["bias_final"], typed: ["bias_partial"]),
    source!("pool", plain: [], typed: ["max_pool", "max_pool_backward"]),
    source!("lrn", plain: ["lrn_tf32", "lrn_backward_tf32"], typed: ["lrn", "lrn_backward"]),
    source!("map_norm", plain: [], typed: ["map_norm", "map_norm_backward"]),
    source!("dropout", plain: [], typed: ["dropout"]),
    source!("loss", plain: ["scores_add"], typed: ["cross_entropy"]),
    source!("sgd", plain: ["sgd", "norm_final"], typed: []),
    source!(
        "values",
        plain: ["cast_f32_bf16", "cast_bf16_f32"],
        typed: ["widen", "narrow", "add_scaled"]
    ),
];

impl Source {
    /// What runs on a GPU of this compute capability.
    fn image(&self, capability: (i32, i32)) -> Ptx {
        match capability {
            (9, _) => Ptx::from_binary(self.cubin_90.to_vec()),
            (8.., _) => Ptx::from_src(self.ptx_80),
            _ => Ptx::from_src(self.ptx_75),
        }
    }
}

/// A kernel: its name, and the type of its values where there is a kernel for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    name: &'static str,
    element: Option<Element>,
}

impl Entry {
    /// A kernel of a name of its own.
    pub(crate) const fn plain(name: &'static str) -> Self {
        let element = None;
        Self { name, element }
    }

    /// The kernel of this name for values of `element`.
    pub(crate) const fn typed(name: &'static str, element: Element) -> Self {
        let element = Some(element);
        Self { name, element }
    }
}

/// The blocks of a launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    columns: u32,
    rows: u32,
}

impl Grid {
    /// Blocks for `values` values, a thread for each or a stride.
    ///
    /// # Panics
    /// If the kernels' 32 bits cannot number the values: ten thousand images and more at once.
    pub(crate) fn over(values: usize) -> Self {
        assert!(u32::try_from(values).is_ok(), "{values} values at once");
        let blocks = (values as u64).div_ceil(u64::from(BLOCK));
        Self {
            columns: blocks.clamp(1, MAX_BLOCKS) as u32,
            rows: 1,
        }
    }

    /// A thread for each of `columns` columns, in each of `rows` rows.
    pub(crate) fn threads(columns: usize, rows: usize) -> Self {
        Self::blocks(columns.div_ceil(BLOCK as usize), rows)
    }

    /// So many blocks.
    pub(crate) fn blocks(columns: usize, rows: usize) -> Self {
        Self {
            columns: columns as u32,
            rows: rows as u32,
        }
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub(crate) enum Argument {
    Pointer(u64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

impl Argument {
    /// A size that the kernels take in 32 bits.
    pub(crate) fn size(size: usize) -> Self {
        Self::U32(u32::try_from(size).expect("sizes of layers fit into 32 bits"))
    }

    /// A number of values.
    pub(crate) fn count(count: usize) -> Self {
        Self::U64(count as u64)
    }
}

impl From<View<'_>> for Argument {
    fn from(view: View<'_>) -> Self {
        Self::Pointer(view.pointer)
    }
}

/// A missing view is a null pointer, which the kernel does not follow.
impl<T: Into<Self>> From<Option<T>> for Argument {
    fn from(view: Option<T>) -> Self {
        view.map_or(Self::Pointer(0), Into::into)
    }
}

impl From<&ViewMut<'_>> for Argument {
    fn from(view: &ViewMut<'_>) -> Self {
        Self::Pointer(view.pointer)
    }
}

/// The loaded kernels of a GPU.
pub(crate) struct Kernels(HashMap<Entry, CudaFunction>);

impl Kernels {
    /// Hands the kernels to the driver: as machine code where there is such for the GPU, else as PTX, which the driver
    /// translates.
    ///
    /// # Errors
    /// A driver that is older than the compiler, or a kernel that is missing.
    pub(crate) fn load(context: &Arc<CudaContext>) -> Result<Self, CudaError> {
        let capability = context.compute_capability().context("query the GPU")?;
        let mut functions = HashMap::new();
        for source in SOURCES {
            let module = context
                .load_module(source.image(capability))
                .context("load the kernels for this GPU")?;
            let mut load = |entry: Entry, suffix: &str| -> Result<(), CudaError> {
                let function = module.load_function(&format!("{}{suffix}", entry.name));
                functions.insert(entry, function.context("find a kernel")?);
                Ok(())
            };
            for name in source.plain {
                load(Entry::plain(name), "")?;
            }
            for name in source.typed {
                load(Entry::typed(name, Element::F32), "_f32")?;
                load(Entry::typed(name, Element::Bf16), "_bf16")?;
            }
        }
        Ok(Self(functions))
    }

    /// Queues a kernel on a stream of the GPU.
    ///
    /// # Safety
    /// The arguments are those of the kernel, in number, order and type, and its pointers are to
    /// memory of this GPU, large enough for what the kernel does with these sizes.
    pub(crate) unsafe fn launch(
        &self,
        stream: &Arc<CudaStream>,
        entry: Entry,
        grid: Grid,
        arguments: &[Argument],
    ) -> Result<(), CudaError> {
        let function = self.0.get(&entry);
        let function = function.unwrap_or_else(|| panic!("there is no kernel {entry:?}"));
        let mut builder = stream.launch_builder(function);
        for argument in arguments {
            match argument {
                Argument::Pointer(value) | Argument::U64(value) => builder.arg(value),
                Argument::U32(value) => builder.arg(value),
                Argument::F32(value) => builder.arg(value),
                Argument::F64(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: (grid.columns, grid.rows, 1),
            block_dim: (BLOCK, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { builder.launch(config) }.context(entry.name)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, SOURCES};

    #[test]
    fn a_block_has_the_headers_threads() {
        let header = include_str!("../kernels/kernels.cuh");
        assert!(header.contains(&format!("constexpr u32 BLOCK = {BLOCK};")));
    }

    #[test]
    fn every_kernel_is_in_its_ptx() {
        for source in SOURCES {
            let entry = |name: &str| {
                let entry = format!(".visible .entry {name}(");
                for ptx in [source.ptx_75, source.ptx_80] {
                    assert!(ptx.contains(&entry), "{name}");
                }
                let section = format!(".text.{name}\0");
                let code = source.cubin_90;
                let found = code
                    .windows(section.len())
                    .any(|at| at == section.as_bytes());
                assert!(found, "{name}");
            };
            source.plain.iter().for_each(|name| entry(name));
            for name in source.typed {
                entry(&format!("{name}_f32"));
                entry(&format!("{name}_bf16"));
            }
        }
    }
}
