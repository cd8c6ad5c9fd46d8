//! Where a network is computed, and with which arithmetic.

use serde::Serialize;

/// Where a network is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// All cores of this machine, in f32.
    #[default]
    Cpu,
    /// NVIDIA GPUs of this machine; needs a build with the feature `cuda`, and with `nccl` for several.
    Cuda(CudaOptions),
}

/// How GPUs are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// The GPUs.
    pub devices: DeviceSet,
    /// The arithmetic.
    pub precision: Precision,
    /// Whether only algorithms are used that give the same bits every time on as many GPUs.
    pub deterministic: bool,
}

/// One or several GPUs of this machine, each once, by their numbers as the driver counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSet(u64);

impl Default for DeviceSet {
    /// The first GPU.
    fn default() -> Self {
        Self(1)
    }
}

impl DeviceSet {
    /// The most GPUs of a machine.
    pub const MAX: usize = u64::BITS as usize;

    /// The GPUs with these numbers; `None` if there is none, or if one is named twice or is not below
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub fn new(numbers: &[usize]) -> Option<Self> {
        let mut set = 0_u64;
        for &number in numbers {
            let device = 1_u64.checked_shl(u32::try_from(number).ok()?)?;
            if set & device != 0 {
                return None;
            }
            set |= device;
        }
        (set != 0).then_some(Self(set))
    }

    /// The number of GPUs.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Their numbers, ascending.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..Self::MAX).filter(move |number| self.0 >> number & 1 == 1)
    }
}

/// The arithmetic of products and the type of activations; weights, velocities and sums are f32
/// always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout: the CPU's results except for the order of sums.
    #[value(help = "f32 throughout")]
    F32,
    /// f32 values whose products take 10 bits of fraction, on tensor cores.
    #[default]
    #[value(help = "f32 values; multiplication on tensor cores with a 10-bit mantissa")]
    Tf32,
    /// bf16 activations and copies of the weights, on tensor cores; f32 weights and sums.
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

/// Bytes that the system could still give, where it tells.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{DeviceSet, available_memory};

    #[test]
    fn a_set_has_each_device_once() {
        let set = DeviceSet::new(&[5, 0, 63]).unwrap();
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!(set.len(), 3);
        for wrong in [&[][..], &[1, 1], &[64], &[usize::MAX]] {
            assert_eq!(DeviceSet::new(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_system_tells_how_much_memory_it_has() {
        assert!(available_memory().is_none_or(|bytes| bytes > 1 << 20));
    }
}
