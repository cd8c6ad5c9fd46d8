//! Under the feature `cuda`: compiles the kernels to PTX, which the program carries and the driver translates for its
//! GPU, and to machine code for one generation of GPUs, which needs no translation. Without the feature it does
//! nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources in `src/cuda/kernels`, each of which becomes a file of the same name for each target.
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
const HEADERS: [&str; 3] = ["kernels.cuh", "activation.cuh", "scale.cuh"];

/// What each source is compiled to: kind, architecture, and what the file's name ends with. The oldest that CUDA 13
/// knows; the one from which on bf16 is converted by an instruction instead of eight; and machine code for Hopper.
/// `src/cuda/device/kernels.rs` chooses.
const TARGETS: [(&str, &str, &str); 3] = [
    ("--ptx", "compute_75", "75.ptx"),
    ("--ptx", "compute_80", "80.ptx"),
    ("--cubin", "sm_90", "90.cubin"),
];

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
        for (kind, architecture, ending) in TARGETS {
            let mut command = Command::new(&nvcc);
            command
                .args([kind, "-O3", "-std=c++17", "-arch", architecture])
                // Two roundings for a product and a sum, as on the CPU.
                .args(["--fmad=false", "-Werror", "all-warnings"])
                .arg("-o")
                .arg(out.join(format!("{name}.{ending}")))
                .arg(&source);
            if let Some(compiler) = env::var_os("NVCC_CCBIN") {
                command.arg("-ccbin").arg(compiler);
            }
            match command.status() {
                Ok(status) if status.success() => {}
                Ok(status) => panic!(
                    "{} ended with {status} on {} for {architecture}",
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
