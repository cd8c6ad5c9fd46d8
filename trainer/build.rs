//! Under the feature `cuda`: compiles the kernels to PTX, which the program carries and the driver
//! translates for its GPU. Without the feature it does nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources in `src/cuda/kernels`, each of which becomes a PTX file of the same name.
const SOURCES: [&str; 10] = [
    "finish",
    "activation",
    "bias",
    "pool",
    "lrn",
    "map_norm",
    "dropout",
    "loss",
    "sgd",
    "values",
];

/// What they include.
const HEADERS: [&str; 2] = ["kernels.cuh", "scale.cuh"];

/// The virtual architecture: the oldest that CUDA 13 knows, which every newer driver translates.
const ARCHITECTURE: &str = "compute_75";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    for name in ["NVCC", "CUDA_HOME", "CUDA_PATH", "NVCC_CCBIN"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let folder = Path::new("src/cuda/kernels");
    for header in HEADERS {
        println!("cargo::rerun-if-changed={}", folder.join(header).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let nvcc = nvcc();
    for name in SOURCES {
        let source = folder.join(name).with_extension("cu");
        println!("cargo::rerun-if-changed={}", source.display());
        let mut command = Command::new(&nvcc);
        command
            .args(["--ptx", "-O3", "-std=c++17", "-arch", ARCHITECTURE])
            // Two roundings for a product and a sum, as on the CPU.
            .args(["--fmad=false", "-Werror", "all-warnings"])
            .arg("-o")
            .arg(out.join(name).with_extension("ptx"))
            .arg(&source);
        if let Some(compiler) = env::var_os("NVCC_CCBIN") {
            command.arg("-ccbin").arg(compiler);
        }
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => panic!(
                "{} ended with {status} on {}",
                nvcc.display(),
                source.display()
            ),
            Err(error) => panic!(
                "cannot run {}: {error}; building with the feature `cuda` needs the CUDA toolkit: put \
                 nvcc into PATH, or set CUDA_HOME; tools/cuda-toolkit.sh lays one out for a machine \
                 without a GPU",
                nvcc.display()
            ),
        }
    }
}

/// From NVCC, from the toolkit's folder, or from PATH.
fn nvcc() -> PathBuf {
    if let Some(nvcc) = env::var_os("NVCC") {
        return nvcc.into();
    }
    let folders = ["CUDA_HOME", "CUDA_PATH"]
        .into_iter()
        .filter_map(env::var_os);
    let mut programs = folders.map(|folder| Path::new(&folder).join("bin/nvcc"));
    programs
        .find(|program| program.is_file())
        .unwrap_or_else(|| "nvcc".into())
}
