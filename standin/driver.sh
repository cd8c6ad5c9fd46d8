#!/usr/bin/env bash
# Builds stand-ins for NVIDIA's driver and libraries, so that a `train` with the feature `cuda` or `nccl` runs
# unchanged on a machine without a GPU: its host code, with the kernels compiled for the host. driver/README.md
# says what that shows and what it does not.
# Needs g++ 12 or newer and the headers of CUDA, cuDNN and NCCL under CUDA_HOME; needs nothing from CUDA at run
# time.
# Usage: driver.sh TRAIN FOLDER, then LD_LIBRARY_PATH=FOLDER TRAIN gpu-check ...
set -euo pipefail
usage='usage: driver.sh TRAIN FOLDER'
train=${1:?$usage}
mkdir -p "${2:?$usage}"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
: "${CUDA_HOME:?the headers of CUDA, cuDNN and NCCL are looked for under CUDA_HOME}"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

flags=(-std=c++20 -O2 -g -fPIC -Wall -Wextra -Werror -pthread)
compile() { # FILES on stdin, one per line; flags as arguments; compiles two at a time
  xargs -P 2 -I '{}' sh -c 'file=$1; shift; exec g++ "$@" -x c++ -c "$file" -o "$0/$(basename "$file").o"' \
    "$objects" '{}' "${flags[@]}" "$@"
}
# The kernels are compiled with run.sh's flags and include the header in this folder that has the name of CUDA's;
# the others include CUDA's own headers.
printf '%s\n' "$here"/../trainer/src/cuda/kernels/*.cu "$here"/driver/{fiber,twin}.cpp |
  compile -Wno-unknown-pragmas -fno-strict-aliasing -ffp-contract=off -I "$here"
printf '%s\n' "$here"/driver/*.cpp "$here"/driver/{dnn,nccl}/*.cpp | grep -vE '/(fiber|twin)\.cpp$' |
  compile -O3 -isystem "$CUDA_HOME/include"

# The objects of a library; those that no other library has belong to the driver.
objects_of() {
  local names
  case $1 in
  libcuda) names='*.cu say card fault memory stream copy fiber twin ptx cubin module product' ;;
  libcudart) names=runtime ;;
  libcublas) names=blas ;;
  libcudnn) names='descriptor convolution algorithm calls search' ;;
  libnccl) names='clique api' ;;
  libcurand) names=random ;;
  libnvrtc) names=compiler ;;
  *) return 1 ;;
  esac
  for name in $names; do
    case $name in
    '*.cu') echo "$objects"/*.cu.o ;;
    *) echo "$objects/$name.cpp.o" ;;
    esac
  done
}

# Functions that the program imports from a library and that no object defines: a call ends the program.
missing() { # LIBRARY PATTERN OBJECTS...
  local library=$1 pattern=$2
  shift 2
  { nm -D --undefined-only "$train" | grep -oE "$pattern" || true; } | sed 's/@.*//' | sort -u >"$objects/wanted"
  nm --defined-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$objects/there"
  {
    echo '#include <stdio.h>'
    echo '#include <stdlib.h>'
    comm -23 "$objects/wanted" "$objects/there" | while read -r name; do
      echo "void $name(void) { fputs(\"host stand-in, fatal: $name is not provided\\n\", stderr); abort(); }"
    done
  } >"$objects/$library.c"
}

# The libraries get the names and versions that the program links to.
needed=$(readelf -d "$train" | grep -oE 'lib(cuda|cudart|cublas|cudnn|nccl|curand)\.so\.[0-9]+')
# The program also opens NVRTC and the CUDA runtime at run time (the latter may be missing from its link
# dependencies after link-time optimisation), by the version of CUDA, which is cuBLAS's.
cublas=$(grep -oE 'libcublas\.so\.[0-9]+' <<<"$needed")
others=$(grep -vE '^lib(cuda|cudart)\.' <<<"$needed")
for file in libcuda.so.1 $others "libcudart.so.${cublas##*.}" "libnvrtc.so.${cublas##*.}"; do
  library=${file%%.*}
  mapfile -t own < <(objects_of "$library" | tr ' ' '\n')
  link=(-shared -Wl,-soname,"$file" -o "$out/$file" -pthread)
  if [ "$library" = libcuda ]; then
    missing "$library" '\bcu[A-Z][A-Za-z0-9_]*$' "${own[@]}"
  else
    missing "$library" "\\S+@$file" "${own[@]}"
    printf '%s { global: cu*; nccl*; nvrtc*; __cu*; local: *; };\n' "$file" >"$objects/$library.map"
    link+=(-Wl,--version-script,"$objects/$library.map" -L "$out" -l:libcuda.so.1)
  fi
  gcc -O2 -fPIC -c "$objects/$library.c" -o "$objects/$library.c.o"
  g++ "${own[@]}" "$objects/$library.c.o" "${link[@]}"
done
