#!/usr/bin/env bash
# Runs `train gpu-check` on a machine with an NVIDIA GPU. It needs a binary built with the feature `cuda` and a
# small folder of shards, but no cargo and no CUDA toolkit. The libraries may come from the system or from a Python
# environment (PyTorch brings them): this script finds their folders and adds them to the library path. With
# --torch-script it also measures PyTorch's speed on the same GPU and appends it to the report: that script takes
# --device, --batch-size, --steps, --precision and --channels-last, and prints a line of JSON.
# Exit code: 0 if everything holds, 2 if the GPU or a library is missing, otherwise that of the check.
# Usage: tools/gpu-check.sh TRAIN SHARDS [REPORT] [--torch-script FILE]
set -euo pipefail

usage='usage: gpu-check.sh TRAIN SHARDS [REPORT] [--torch-script FILE]'
positions=()
torch_script=
while [ $# -gt 0 ]; do
  case $1 in
  --torch-script)
    torch_script=${2:?$usage}
    shift
    ;;
  -h | --help)
    echo "$usage"
    exit
    ;;
  *) positions+=("$1") ;;
  esac
  shift
done
train=${positions[0]:?$usage}
shards=${positions[1]:?$usage}
report=${positions[2]:-gpu-check.md}
own_path=${LD_LIBRARY_PATH:-}

# Folders where distributions, toolkits and NVIDIA's container images put libraries.
folders=(
  /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /usr/lib/wsl/lib
  /usr/local/nvidia/lib64 /usr/local/cuda/lib64 /usr/local/cuda/targets/x86_64-linux/lib
)
IFS=: read -ra given <<<"${LD_LIBRARY_PATH:-}"

# The wheels of the installed Python, including this user's.
wheels=()
for python in python3 python; do
  if command -v "$python" >/dev/null; then
    while IFS= read -r site; do
      for folder in "$site"/nvidia/*/lib; do
        [ -d "$folder" ] && wheels+=("$folder")
      done
    done < <("$python" -c 'import site, sys; print("\n".join(site.getsitepackages() + [site.getusersitepackages()] + sys.path))' 2>/dev/null | sort -u)
    break
  fi
done

# Prints the folder of the first file with this name, or nothing; a library known to the dynamic linker needs none.
find_library() {
  local folder file
  for folder in "${given[@]}" "${wheels[@]}" "${folders[@]}"; do
    for file in "$folder/$1" "$folder/$1".*; do
      if [ -n "$folder" ] && [ -e "$file" ]; then
        echo "$folder"
        return
      fi
    done
  done
}
known() {
  # Reads the list to its end, since a reader that stops early makes the pipe fail.
  ldconfig -p 2>/dev/null | grep "[[:space:]]$1" >/dev/null
}

if ! known libcuda.so.1 && [ -z "$(find_library libcuda.so.1)" ]; then
  echo "no GPU: this machine has no libcuda.so.1, so it has no NVIDIA driver" >&2
  exit 2
fi

path=$(find_library libcuda.so.1)
missing=()
libraries=(libcublas.so libcublasLt.so libcurand.so libcudart.so libcudnn.so libnvrtc.so)
# A program for several GPUs does not start without NCCL.
if grep -aq 'libnccl\.so' "$train"; then
  libraries+=(libnccl.so)
fi
for library in "${libraries[@]}"; do
  folder=$(find_library "$library")
  if [ -n "$folder" ]; then
    case ":$path:" in *":$folder:"*) ;; *) path=$path:$folder ;; esac
  elif ! known "$library"; then
    missing+=("$library")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "not found: ${missing[*]}; install the CUDA runtime, cuDNN 9 and, if it is listed, NCCL, or add their folders to LD_LIBRARY_PATH" >&2
  exit 2
fi
export LD_LIBRARY_PATH=${path#:}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$train" doctor --shards "$shards" || true
status=0
"$train" gpu-check --shards "$shards" --out "$report" || status=$?

if [ -n "$torch_script" ]; then
  # PyTorch finds its own libraries.
  export LD_LIBRARY_PATH=$own_path
  if ! python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo "python3 has no PyTorch that sees the GPU: the report does not include its speed" >&2
    exit $((status ? status : 1))
  fi
  {
    printf '\n## PyTorch on the same GPU\n\n'
    python3 -c 'import torch; print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, channels last, medians of 30 steps.")'
    printf '\n| precision | batch | training images/s | inference images/s |\n|---|---|---|---|\n'
    for precision in tf32 bf16; do
      for batch in 128 512 1024; do
        python3 "$torch_script" --device cuda --batch-size "$batch" --steps 30 --precision "$precision" --channels-last |
          python3 -c 'import json, sys; r = json.loads(sys.stdin.read().splitlines()[-1]); print("| {} | {} | {:,.0f} | {:,.0f} |".format(r["precision"], r["batch_size"], r["training_images_per_second"], r["inference_images_per_second"]))'
      done
    done
  } >>"$report"
fi
exit "$status"
