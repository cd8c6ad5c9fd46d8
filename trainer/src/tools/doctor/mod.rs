//! What this machine has for training, what is missing, and what to do about it.

mod shards;

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use shardmill_formats::Causes;

use crate::compute;
use crate::cuda::probe::{self, Driver};
use shards::ShardPlace;

/// The least compute capability that the kernels run on.
const CAPABILITY: (i32, i32) = (7, 5);

/// Bytes of a GPU's memory below which the paper's batch hardly fits.
const TIGHT: u64 = 4 << 30;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Doctor {
    /// Whether this build can train on this machine: one for the CPU always can, one with CUDA needs a
    /// GPU; and the shards, where they were asked for, must be readable.
    can_train: bool,
    /// Whether this build has CUDA.
    cuda_build: bool,
    /// The CUDA version that the driver serves; `None` without a driver that runs.
    driver: Option<String>,
    /// The GPUs.
    #[serde(rename = "cards")]
    gpus: Vec<GpuReport>,
    /// The toolkit's libraries, and their versions where they are found.
    libraries: Vec<LibraryReport>,
    /// Whether this build can use several GPUs at once.
    nccl_build: bool,
    /// The version of NCCL, where it is found; only several GPUs need it.
    nccl: Option<String>,
    /// The version of nvcc, where it is found; it is needed to build, not to run.
    nvcc: Option<String>,
    /// Threads of the processor.
    threads: usize,
    /// Instruction sets of the processor that Shardmill's kernels use.
    features: Vec<&'static str>,
    /// Bytes of memory that the system could give.
    memory: Option<u64>,
    /// The dataset, where it was asked for and can be read.
    shards: Option<ShardPlace>,
    /// What is missing and what to do about it.
    advice: Vec<String>,
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct GpuReport {
    /// Its number, for `--device cuda:N`.
    number: usize,
    /// Its name.
    name: String,
    /// Its compute capability, as in 9.0.
    capability: String,
    /// Bytes of memory.
    memory: u64,
    /// Bytes that are free, where the driver reports it.
    free: Option<u64>,
    /// Whether the kernels run on it.
    usable: bool,
}

/// A library.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct LibraryReport {
    /// Its name.
    name: &'static str,
    /// Its version; `None` if it is not found.
    version: Option<String>,
}

impl Doctor {
    /// Looks at this machine, and at a folder of shards.
    pub(crate) fn examine(folder: Option<&Path>) -> Self {
        let cuda_build = cfg!(feature = "cuda");
        let mut advice = Vec::new();
        let (driver, gpus) = driver(&mut advice);
        let libraries: Vec<LibraryReport> = probe::libraries()
            .into_iter()
            .map(|(name, version)| LibraryReport { name, version })
            .collect();
        let missing: Vec<&str> = libraries
            .iter()
            .filter(|library| library.version.is_none())
            .map(|library| library.name)
            .collect();
        if driver.is_some() && !missing.is_empty() {
            advice.push(format!(
                "{} not found: install the CUDA toolkit and cuDNN 9, or put their folders into \
             LD_LIBRARY_PATH",
                missing.join(", ")
            ));
        }
        let nccl = probe::nccl();
        let count = gpus.iter().filter(|gpu| gpu.usable).count();
        let usable = count > 0 && missing.is_empty();
        advice.extend(several(count, cfg!(feature = "nccl"), nccl.is_some()));
        if !cuda_build && usable {
            advice.push(
                "there is a GPU, and this build cannot use it: build with \
             `cargo build --release --features cuda -p shardmill-trainer`, which needs nvcc"
                    .to_owned(),
            );
        }
        let nvcc = nvcc();
        if !cuda_build && usable && nvcc.is_none() {
            advice.push("nvcc not found: building with CUDA needs the CUDA toolkit".to_owned());
        }
        let mut can_train = !cuda_build || usable;
        let shards = folder.and_then(|folder| match ShardPlace::of(folder) {
            Ok(place) => Some(place),
            Err(error) => {
                can_train = false;
                advice.push(Causes(&error).to_string());
                None
            }
        });
        let memory = compute::available_memory();
        if let (Some(place), Some(memory)) = (&shards, memory)
            && let Some(where_to) = place.advice(memory)
        {
            advice.push(where_to.to_owned());
        }
        Self {
            can_train,
            cuda_build,
            driver,
            gpus,
            libraries,
            nccl_build: cfg!(feature = "nccl"),
            nccl,
            nvcc,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            features: features(),
            memory,
            shards,
            advice,
        }
    }

    /// Whether this build can train on this machine.
    pub(crate) fn can_train(&self) -> bool {
        self.can_train
    }
}

/// What to do about using several GPUs at once, where there are several.
fn several(usable: usize, build: bool, library: bool) -> Option<String> {
    if usable < 2 {
        return None;
    }
    let library = if library {
        ""
    } else {
        "; NCCL (libnccl.so.2) is not found: install it, or put its folder into LD_LIBRARY_PATH"
    };
    if build && library.is_empty() {
        return Some(format!(
            "{usable} GPUs can train together: name them with commas, as in `--device cuda:0,1`"
        ));
    }
    let build = if build {
        "cannot train together"
    } else {
        "train one at a time by this build: build with `--features nccl` to use several together"
    };
    Some(format!("{usable} GPUs {build}{library}"))
}

fn driver(advice: &mut Vec<String>) -> (Option<String>, Vec<GpuReport>) {
    match probe::driver() {
        Driver::Missing => {
            advice.push(
                "no NVIDIA driver (libcuda.so.1): install one to use a GPU; the CPU needs none"
                    .to_owned(),
            );
            (None, Vec::new())
        }
        Driver::Failing(code) => {
            advice.push(format!(
                "the NVIDIA driver does not start (error {code} of its `cuInit`): 100 means that \
                 there is no GPU, 999 or 803 that driver and kernel module do not match; see \
                 `nvidia-smi`"
            ));
            (None, Vec::new())
        }
        Driver::Running { version, gpus } => {
            if gpus.is_empty() {
                advice.push("the NVIDIA driver runs but finds no GPU".to_owned());
            }
            let report = |(number, gpu): (usize, probe::Gpu)| GpuReport {
                number,
                name: gpu.name,
                capability: format!("{}.{}", gpu.capability.0, gpu.capability.1),
                memory: gpu.memory,
                free: gpu.free,
                usable: gpu.capability >= CAPABILITY,
            };
            let gpus: Vec<GpuReport> = gpus.into_iter().enumerate().map(report).collect();
            for gpu in &gpus {
                let (number, name) = (gpu.number, &gpu.name);
                if !gpu.usable {
                    let (major, minor) = CAPABILITY;
                    advice.push(format!(
                        "GPU {number} ({name}) is too old: the kernels need compute capability \
                         {major}.{minor}"
                    ));
                } else if gpu.free.is_some_and(|free| free < TIGHT) {
                    advice.push(format!(
                        "GPU {number} ({name}) has little free memory: use a smaller \
                         `--batch-size` with `--accumulate`, or end the other programs on it"
                    ));
                }
            }
            (Some(format!("{}.{}", version.0, version.1)), gpus)
        }
    }
}

/// The version that nvcc prints, from where CUDA_HOME or PATH has it.
fn nvcc() -> Option<String> {
    let at_home = std::env::var_os("CUDA_HOME").map(|home| Path::new(&home).join("bin/nvcc"));
    let output = at_home
        .and_then(|nvcc| Command::new(nvcc).arg("--version").output().ok())
        .or_else(|| Command::new("nvcc").arg("--version").output().ok())?;
    release(&String::from_utf8_lossy(&output.stdout))
}

fn release(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("release ")?;
    Some(rest.split(',').next()?.trim().to_owned())
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    all.into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

impl fmt::Display for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if self.cuda_build {
            "CPU and CUDA"
        } else {
            "CPU"
        };
        writeln!(f, "build     {build}")?;
        writeln!(
            f,
            "CPU       {} threads, {}",
            self.threads,
            self.features.join(" ")
        )?;
        if let Some(memory) = self.memory {
            writeln!(f, "memory    {:.1} GiB available", gib(memory))?;
        }
        match &self.driver {
            Some(version) => writeln!(f, "driver    serves CUDA {version}")?,
            None => writeln!(f, "driver    none that runs")?,
        }
        for gpu in &self.gpus {
            let free = gpu
                .free
                .map_or_else(String::new, |free| format!(", {:.1} free", gib(free)));
            writeln!(
                f,
                "GPU {}     {}, compute capability {}, {:.1} GiB{free}",
                gpu.number,
                gpu.name,
                gpu.capability,
                gib(gpu.memory)
            )?;
        }
        for library in &self.libraries {
            let version = library.version.as_deref().unwrap_or("not found");
            writeln!(f, "{:<9} {version}", library.name)?;
        }
        let nccl = self.nccl.as_deref();
        let nccl = nccl.unwrap_or("not found (needed for several GPUs)");
        writeln!(f, "NCCL      {nccl}")?;
        writeln!(
            f,
            "nvcc      {}",
            self.nvcc
                .as_deref()
                .unwrap_or("not found (needed to build with CUDA)")
        )?;
        if let Some(place) = &self.shards {
            writeln!(f, "shards    {place}")?;
        }
        for advice in &self.advice {
            writeln!(f, "note      {advice}")?;
        }
        let verdict = match (self.can_train, self.cuda_build) {
            (true, false) => "this build can train here, on the CPU",
            (true, true) => "this build can train here, with `--device cuda`",
            (false, _) => "this build cannot train here until the notes above are resolved",
        };
        writeln!(f, "verdict   {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_for_the_cpu_can_train_whatever_card_there_is() {
        let found = Doctor::examine(None);
        assert!(found.threads > 0);
        assert!(found.can_train || found.cuda_build);
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["libraries"].as_array().unwrap().len(), 5);
        assert!(found.to_string().contains("verdict"));
    }

    #[test]
    fn says_what_several_gpus_need() {
        for (usable, build, library, said) in [
            (1, true, true, None),
            (0, false, false, None),
            (2, true, true, Some("--device cuda:0,1")),
            (3, false, true, Some("--features nccl")),
            (2, false, false, Some("libnccl")),
            (2, true, false, Some("libnccl")),
        ] {
            let advice = several(usable, build, library);
            let found = advice
                .as_deref()
                .map(|text| said.is_some_and(|said| text.contains(said)));
            assert_eq!(found, said.map(|_| true), "{advice:?}");
        }
    }

    #[test]
    fn shards_that_are_not_there_are_told() {
        let empty = tempfile::tempdir().unwrap();
        for folder in [Path::new("no-such-folder"), empty.path()] {
            let found = Doctor::examine(Some(folder));
            assert!(!found.can_train);
            assert!(found.advice.iter().any(|text| text.contains("prep ingest")));
        }
    }

    #[test]
    fn reads_the_release_of_nvcc() {
        let text = "Cuda compilation tools, release 13.0, V13.0.88\n";
        assert_eq!(release(text).as_deref(), Some("13.0"));
        assert_eq!(release("nothing"), None);
    }
}
