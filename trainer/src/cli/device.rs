//! Where to compute.

use clap::ValueEnum;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DeviceArg {
    /// All cores of this machine.
    #[default]
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

impl DeviceArg {
    /// Refuses a device that this build cannot use.
    pub(super) fn check(self) -> anyhow::Result<()> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => anyhow::bail!(
                "this build of train computes on the CPU only and has no CUDA support; use \
                 `--device cpu`"
            ),
        }
    }
}
