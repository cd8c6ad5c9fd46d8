#!/usr/bin/env bash
# Runs `train gpu-check` on a machine with an NVIDIA GPU. It needs a binary built with the feature `cuda`, but no
# cargo and no CUDA toolkit. SHARDS is a small folder of shards; without it, or with `-`, the check draws its own
# images. The libraries may come from the system or from a Python environment (PyTorch brings them): this script
# reads in the program which versions it needs, finds their folders and adds them to the library path.
# What matters most is done first, so that a run that is cut short has it: `train doctor`, then the check's parts
# operations, networks and speed, then PyTorch's speed, then training, feed and several GPUs. The last three parts
# are written to REPORT with .rest.md for .md, which is appended to REPORT when they have ended.
# With --torch-script it also measures PyTorch's speed on the same GPU: that script takes --device, --batch-size,
# --steps, --precision and --channels-last, and prints a line of JSON. Each row is appended to REPORT with .torch.md
# for .md as soon as it is measured; at the end, if all were, the table is appended to REPORT.
# What follows `--` goes to `train gpu-check` as it is. With --only or --skip in it, these choose the parts, which
# then run in that program's own order, and PyTorch after them.
# REPORT is gpu-check.md by default. A name without a folder lies in the folder OUT, if that variable is set.
# --libraries prints the libraries that a program needs, needs no GPU, and does nothing else.
# Exit code: 0 if everything holds, 2 if the GPU or a library is missing, otherwise that of the check. --libraries
# gives 1 for a program without CUDA.
# Usage: tools/gpu-check.sh TRAIN [SHARDS [REPORT]] [--torch-script FILE] [-- ARGUMENT...]
#        tools/gpu-check.sh --libraries TRAIN
set -euo pipefail

usage='usage: gpu-check.sh TRAIN [SHARDS|- [REPORT]] [--torch-script FILE] [-- ARGUMENT...]
       gpu-check.sh --libraries TRAIN
PyTorch'\''s table is kept in REPORT with .torch.md for .md, and appended to REPORT at the end.'
positions=()
arguments=()
torch_script=
only_libraries=
while [ $# -gt 0 ]; do
  case $1 in
  --torch-script)
    torch_script=${2:?$usage}
    shift
    ;;
  --libraries) only_libraries=yes ;;
  -h | --help)
    echo "$usage"
    exit
    ;;
  --)
    shift
    arguments=("$@")
    break
    ;;
  *) positions+=("$1") ;;
  esac
  shift
done
train=${positions[0]:?$usage}
shards=${positions[1]:-}
report=${positions[2]:-gpu-check.md}
own_path=${LD_LIBRARY_PATH:-}
if [ ! -f "$train" ]; then
  echo "there is no program $train" >&2
  exit 1
fi
case $report in
*/*) ;;
*) report=${OUT:+$OUT/}$report ;;
esac
# Programs are run by path, never looked up.
case $train in
*/*) ;;
*) train=./$train ;;
esac

# The libraries that the program is linked to, with their versions: in the program these names stand alone between
# zero bytes, while those that `train doctor` looks for, of several versions and in every build, do not.
linked=$({ LC_ALL=C grep -azxE 'lib[A-Za-z]+\.so\.[0-9]+' "$train" || true; } | tr '\0' '\n' | sort -u)
named=$({ LC_ALL=C grep -aoE 'lib(cuda|cudart|cublas|cublasLt|cudnn|curand|nvrtc|nccl)\.so\.[0-9]+' "$train" || true; } | sort -u)

# Prints the versions of a library in a list, newest first.
versions() { # LIST NAME
  sed -nE "s/^$2\\.so\\.([0-9]+)\$/\\1/p" <<<"$1" | sort -rn
}

# Prints the version of a library that the program is linked to, or nothing.
linked_version() { versions "$linked" "$1" | sed -n 1p; }

if [ -n "$only_libraries" ]; then
  if [ -z "$(linked_version libcublas)" ]; then
    echo "$train is built without CUDA: build it with \`cargo build --release --features nccl -p shardmill-trainer\`, or with \`--features cuda\` for a single GPU (docs/cuda.md says what that needs)" >&2
    exit 1
  fi
  grep -E '^lib(cuda|cudart|cublas|cublasLt|cudnn|curand|nvrtc|nccl)\.' <<<"$linked"
  exit
fi

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

# The names of the libraries that the dynamic linker knows without a path.
known=$({ ldconfig -p 2>/dev/null || true; } | awk '{ print $1 }')
known() { grep -Fxq -- "$1" <<<"$known"; }

# cuDNN has the same name for every CUDA: prints the version of cuBLAS that the cuDNN in a folder was made for, or
# nothing if it does not tell.
cudnn_cuda() { # FOLDER
  local file
  for file in "$1"/libcudnn_adv.so.*; do
    [ -e "$file" ] || continue
    { LC_ALL=C grep -azxE 'libcublasLt\.so\.[0-9]+' "$file" || true; } | tr '\0' '\n' | sed -n '1s/.*\.//p'
    return
  done
}

# Prints the folder of the first file with exactly this name, or nothing.
find_library() { # FILE
  local folder made_for
  for folder in "${given[@]}" "${wheels[@]}" "${folders[@]}"; do
    if [ -n "$folder" ] && [ -e "$folder/$1" ]; then
      if [[ $1 = libcudnn.so.* && -n $cuda ]]; then
        made_for=$(cudnn_cuda "$folder")
        if [ -n "$made_for" ] && [ "$made_for" != "$cuda" ]; then
          continue
        fi
      fi
      echo "$folder"
      return
    fi
  done
}

# Prints the files of a library whatever their version, each with its path where it has one.
find_others() { # NAME
  local folder file
  for folder in "${given[@]}" "${wheels[@]}" "${folders[@]}"; do
    for file in "$folder/$1.so".[0-9]*; do
      if [ -n "$folder" ] && [ -e "$file" ]; then
        echo "$file"
      fi
    done
  done
  grep -E "^$1\\.so\\.[0-9]+\$" <<<"$known" || true
}

# What to install for a library of a version.
package() { # NAME VERSION
  case $1 in
  libcudnn) echo "cuDNN${2:+ $2}${cuda:+ for CUDA $cuda}" ;;
  libnccl) echo "NCCL${2:+ $2}" ;;
  *) echo "the CUDA${cuda:+ $cuda} runtime with cuBLAS, cuRAND and NVRTC" ;;
  esac
}

# The version of CUDA's own libraries, which is cuBLAS's: the one that the program is linked to, or the newest one
# that it names and that is there.
cuda=$(linked_version libcublas)
if [ -z "$cuda" ]; then
  for version in $(versions "$named" libcublas); do
    if known "libcublas.so.$version" || [ -n "$(find_library "libcublas.so.$version")" ]; then
      cuda=$version
      break
    fi
  done
  cuda=${cuda:-$(versions "$named" libcublas | sed -n 1p)}
fi

# Prints the file of a library that the program needs: without a version only if the program names none.
file_of() { # NAME
  local version
  version=$(linked_version "$1")
  case $1 in
  libcublas | libcublasLt | libcudart | libnvrtc) version=${version:-$cuda} ;;
  *) version=${version:-$(versions "$named" "$1" | sed -n 1p)} ;;
  esac
  echo "$1.so${version:+.$version}"
}

driver=$(find_library libcuda.so.1)
if ! known libcuda.so.1 && [ -z "$driver" ]; then
  echo "no GPU: this machine has no libcuda.so.1, so it has no NVIDIA driver" >&2
  exit 2
fi

path=
missing=()
libraries=(libcublas libcublasLt libcurand libcudart libcudnn libnvrtc)
# A program for several GPUs does not start without NCCL; others only look whether it is there.
if [ -n "$(linked_version libnccl)" ]; then
  libraries+=(libnccl)
fi
for library in "${libraries[@]}"; do
  file=$(file_of "$library")
  folder=$(find_library "$file")
  if [ -n "$folder" ]; then
    case ":$path:" in *":$folder:"*) ;; *) path=$path:$folder ;; esac
  elif ! known "$file"; then
    version=${file#"$library.so"}
    others=$(find_others "$library")
    said=$file
    if [ -n "$others" ]; then
      # A cuDNN of the right name is there, but made for another CUDA.
      if [ "$library" = libcudnn ] && grep -qE "(^|/)libcudnn\\.so\\.${version#.}\$" <<<"$others"; then
        said="$file for CUDA $cuda (there is one for another CUDA: ${others//$'\n'/, })"
      else
        said="$file (there is another version, with which this program does not run: ${others//$'\n'/, })"
      fi
    fi
    missing+=("$said; install $(package "$library" "${version#.}")")
  fi
done
if [ ${#missing[@]} -gt 0 ]; then
  printf 'not found: %s\n' "${missing[@]}" >&2
  echo "or add the libraries' folders to LD_LIBRARY_PATH, or build the program with the CUDA that is here" >&2
  exit 2
fi
# The driver's folder is the last, since it may have other libraries of other versions.
if [ -n "$driver" ]; then
  case ":$path:" in *":$driver:"*) ;; *) path=$path:$driver ;; esac
fi
path=${path#:}${own_path:+:$own_path}

torch_report=${report%.md}.torch.md
rest=${report%.md}.rest.md
mkdir -p "$(dirname "$report")"
rm -f "$torch_report" "$rest"
given_shards=()
if [ -n "$shards" ] && [ "$shards" != - ]; then
  given_shards=(--shards "$shards")
fi

status=0
LD_LIBRARY_PATH=$path "$train" doctor "${given_shards[@]}" || true

# Runs the check with the report in a file. The first exit code that is not 0 is the script's.
check() { # FILE ARGUMENTS...
  local file=$1 code=0
  shift
  LD_LIBRARY_PATH=$path "$train" gpu-check "${given_shards[@]}" --out "$file" "$@" "${arguments[@]}" || code=$?
  [ "$status" != 0 ] || status=$code
}

# Measures PyTorch, which finds its own libraries.
measure_torch() {
  local precision batch row about
  if ! about=$(LD_LIBRARY_PATH=$own_path python3 -c 'import sys, torch
if not torch.cuda.is_available(): sys.exit(1)
print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, channels last, medians of 30 steps.")' 2>/dev/null); then
    echo "python3 has no PyTorch that sees the GPU: the report does not include its speed" >&2
    return 1
  fi
  printf '\n## PyTorch on the same GPU\n\n%s\n\n| precision | batch | training images/s | inference images/s |\n|---|---|---|---|\n' "$about" >"$torch_report"
  local whole=0
  for precision in tf32 bf16; do
    for batch in 128 512 1024; do
      if row=$(LD_LIBRARY_PATH=$own_path python3 "$torch_script" --device cuda --batch-size "$batch" --steps 30 --precision "$precision" --channels-last |
        python3 -c 'import json, sys; r = json.loads(sys.stdin.read().splitlines()[-1]); print("| {} | {} | {:,.0f} | {:,.0f} |".format(r["precision"], r["batch_size"], r["training_images_per_second"], r["inference_images_per_second"]))'); then
        printf '%s\n' "$row" | tee -a "$torch_report"
      else
        echo "PyTorch in $precision with batches of $batch failed" >&2
        whole=1
      fi
    done
  done
  return "$whole"
}

torch_status=0
parts_chosen=
for argument in "${arguments[@]}"; do
  case $argument in --only | --only=* | --skip | --skip=*) parts_chosen=yes ;; esac
done
if [ -n "$parts_chosen" ]; then
  check "$report"
else
  check "$report" --only operations,networks,speed
fi
if [ -n "$torch_script" ]; then
  measure_torch || torch_status=1
fi
if [ -z "$parts_chosen" ]; then
  check "$rest" --only training,feed,several
  if [ -f "$rest" ]; then
    { echo && cat "$rest"; } >>"$report"
    rm "$rest"
  fi
fi
if [ -n "$torch_script" ] && [ "$torch_status" = 0 ]; then
  cat "$torch_report" >>"$report"
fi
exit $((status ? status : torch_status))
