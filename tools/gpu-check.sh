#!/usr/bin/env bash
# Runs `train gpu-check` on a machine with an NVIDIA card, from a binary built with the feature `cuda`
# and a small folder of shards; needs no cargo and no CUDA toolkit there. The libraries may be the
# system's, or a Python environment's (PyTorch brings them): their folders are looked for and put into
# the library path. Usage: tools/gpu-check.sh TRAIN SHARDS [REPORT]
set -euo pipefail

train=${1:?usage: gpu-check.sh TRAIN SHARDS [REPORT]}
shards=${2:?usage: gpu-check.sh TRAIN SHARDS [REPORT]}
report=${3:-gpu-check.md}

# Folders where a distribution, a toolkit or a driver's container image puts libraries.
folders=(
  /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /usr/lib/wsl/lib
  /usr/local/nvidia/lib64 /usr/local/cuda/lib64 /usr/local/cuda/targets/x86_64-linux/lib
)
IFS=: read -ra given <<<"${LD_LIBRARY_PATH:-}"

# The wheels of every Python at hand, those of this user included.
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

# The folder of the first file of a name, or nothing; what the loader knows needs none.
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
  ldconfig -p 2>/dev/null | grep -q "[[:space:]]$1"
}

if ! known libcuda.so.1 && [ -z "$(find_library libcuda.so.1)" ]; then
  echo "no card: this machine has no libcuda.so.1, so it has no NVIDIA driver" >&2
  exit 2
fi

path=$(find_library libcuda.so.1)
missing=()
for library in libcublas.so libcurand.so libcudart.so libcudnn.so libnvrtc.so; do
  folder=$(find_library "$library")
  if [ -n "$folder" ]; then
    case ":$path:" in *":$folder:"*) ;; *) path=$path:$folder ;; esac
  elif ! known "$library"; then
    missing+=("$library")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "not found: ${missing[*]}; install the CUDA runtime and cuDNN 9, or name their folders in LD_LIBRARY_PATH" >&2
  exit 2
fi
export LD_LIBRARY_PATH=${path#:}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$train" doctor --shards "$shards" || true
exec "$train" gpu-check --shards "$shards" --out "$report"
