//! Where to compute, and with which arithmetic.

use std::str::FromStr;

use clap::Args;

use crate::compute::{Compute, CudaOptions, DeviceSet, Precision};

/// The flags of the commands that run a network.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct DeviceArgs {
    /// Where to compute: cpu, cuda, cuda:N for GPU number N, or cuda:N,M,... for several GPUs
    #[arg(long, default_value = "cpu")]
    device: DeviceArg,
    /// Arithmetic of a GPU [default: tf32]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Use only GPU algorithms that give the same bits every time
    #[arg(long)]
    deterministic: bool,
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceArg {
    Cpu,
    Cuda(DeviceSet),
}

impl FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = match text.split_once(':') {
            None if text == "cpu" => return Ok(Self::Cpu),
            None if text == "cuda" => return Ok(Self::Cuda(DeviceSet::default())),
            Some(("cuda", numbers)) => numbers,
            _ => return Err(WRONG.to_owned()),
        };
        let parse = |number: &str| number.parse::<usize>().map_err(|_| WRONG.to_owned());
        let numbers: Vec<usize> = numbers.split(',').map(parse).collect::<Result<_, _>>()?;
        let max = DeviceSet::MAX;
        if let Some(number) = numbers.iter().find(|&&number| number >= max) {
            return Err(format!("GPU {number}: at most {max} are counted, from 0"));
        }
        let twice = "a GPU is named twice: each takes part once".to_owned();
        DeviceSet::new(&numbers).map(Self::Cuda).ok_or(twice)
    }
}

const WRONG: &str = "expected cpu, cuda, cuda:N with the number of a GPU, or the numbers of several \
                     GPUs with commas between them, as in cuda:0,1";

impl DeviceArgs {
    /// The device.
    pub(super) fn compute(self) -> anyhow::Result<Compute> {
        let precision = self.precision.unwrap_or_default();
        let deterministic = self.deterministic;
        match self.device {
            DeviceArg::Cpu if self.precision.is_some() || deterministic => anyhow::bail!(
                "`--precision` and `--deterministic` belong to `--device cuda`: the CPU computes in \
                 f32 and gives the same bits every time"
            ),
            DeviceArg::Cpu => Ok(Compute::Cpu),
            DeviceArg::Cuda(devices) => Ok(Compute::Cuda(CudaOptions {
                devices,
                precision,
                deterministic,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceArg, DeviceSet};

    #[test]
    fn names_a_gpu_by_its_number() {
        let parse = |text: &str| text.parse::<DeviceArg>().ok();
        let one = |number| Some(DeviceArg::Cuda(DeviceSet::new(&[number]).unwrap()));
        assert_eq!(parse("cpu"), Some(DeviceArg::Cpu));
        assert_eq!(parse("cuda"), one(0));
        assert_eq!(parse("cuda:3"), one(3));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:0", "cuda:-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_several_gpus_with_commas() {
        let parse = |text: &str| text.parse::<DeviceArg>();
        let set = |numbers: &[usize]| Ok(DeviceArg::Cuda(DeviceSet::new(numbers).unwrap()));
        assert_eq!(parse("cuda:0,1"), set(&[0, 1]));
        assert_eq!(parse("cuda:3,0,7"), set(&[0, 3, 7]));
        for (wrong, what) in [
            ("cuda:1,1", "twice"),
            ("cuda:0,64", "at most 64"),
            ("cuda:0,", "as in cuda:0,1"),
            ("cuda:0,cuda:1", "as in cuda:0,1"),
            ("cuda:0-3", "as in cuda:0,1"),
        ] {
            assert!(parse(wrong).unwrap_err().contains(what), "{wrong}");
        }
    }
}
