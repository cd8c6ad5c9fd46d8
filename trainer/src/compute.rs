//! Where a network is computed, and with which arithmetic.

use serde::Serialize;

/// Where a network is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// All cores of this machine, in f32.
    #[default]
    Cpu,
    /// An NVIDIA card; needs a build with the feature `cuda`.
    Cuda(CudaOptions),
}

/// How a card is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// The card, as the driver counts them.
    pub ordinal: usize,
    /// The arithmetic.
    pub precision: Precision,
    /// Whether only algorithms are used that give the same bits every time on one card.
    pub deterministic: bool,
}

/// The arithmetic of products and the type of activations; weights, velocities and sums are f32
/// always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout: comparable with the CPU's bit for bit but for the order of sums.
    F32,
    /// f32 values whose products take 10 bits of fraction, on tensor cores.
    #[default]
    Tf32,
    /// bf16 activations, and bf16 copies of the weights, on tensor cores.
    Bf16,
}

impl Precision {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}
