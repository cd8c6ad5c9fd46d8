#!/usr/bin/env bash
# Installs everything that a build with the feature `cuda` needs into a folder: nvcc, headers and libraries of CUDA
# 13.0, cuDNN 9 and NCCL 2 from NVIDIA's Python wheels, and a libcuda for the linker, which has only the names of
# the functions. Nothing in it can run a kernel. Needs python3 with venv, and a C compiler.
# Usage: tools/cuda-toolkit.sh FOLDER, then `source FOLDER/env.sh`. A complete folder is left unchanged.
set -euo pipefail

wheels=(
  nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-cccl==13.0.85
  'nvidia-cublas<13.2' nvidia-curand==10.4.0.35 'nvidia-cudnn-cu13<9.20'
  nvidia-nccl-cu13==2.28.9
)

for program in python3 cc; do
  if ! command -v "$program" >/dev/null; then
    echo "$program is missing: installing the toolkit needs Python's pip and a C compiler" >&2
    exit 1
  fi
done

mkdir -p "${1:?usage: cuda-toolkit.sh FOLDER}"
root=$(cd "$1" && pwd)
# A folder made before NCCL was added is completed too.
if [ -f "$root/env.sh" ] && [ -e "$root/lib64/libnccl.so" ]; then
  exit 0
fi

# A folder that an interrupted run left is completed.
if ! python3 -m venv "$root/wheels"; then
  echo "python3 cannot make a virtual environment: install its venv module (python3-venv)" >&2
  exit 1
fi
"$root/wheels/bin/pip" install --quiet --disable-pip-version-check --no-deps "${wheels[@]}"
packages=$(echo "$root"/wheels/lib/python3*/site-packages/nvidia)

# The toolkit's own folders (bin, include, nvvm), and the headers of cuDNN and NCCL.
cp -rsf "$packages/cu13/." "$root/"
cp -rsf "$packages/cudnn/include/." "$packages/nccl/include/." "$root/include/"

# The linker looks for names without a version.
mkdir -p "$root/lib64"
for library in "$packages"/{cu13,cudnn,nccl}/lib/*.so*; do
  name=$(basename "$library")
  ln -sf "$library" "$root/lib64/$name"
  ln -sf "$library" "$root/lib64/${name%%.so*}.so"
done

# Every function in the driver's headers, with the suffixes that the headers add by macro.
stub=$root/libcuda.c
cat "$root"/include/cuda*.h | tr '\n' ' ' | grep -oE 'CUDAAPI[[:space:]]+cu[A-Z][A-Za-z0-9_]*' |
  awk '{ n = $2; for (i = 1; i <= split("|_v2|_v3|_ptsz|_v2_ptsz", s, "|"); i++) print n s[i] }' |
  sort -u | sed 's/.*/void &(void) {}/' >"$stub"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$root/lib64/libcuda.so" "$stub"

cat >"$root/env.sh" <<END
export CUDA_HOME='$root' CUDA_PATH='$root' CUDA_ROOT='$root'
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-90}
export PATH='$root/bin':\$PATH
export LIBRARY_PATH='$root/lib64'\${LIBRARY_PATH:+:\$LIBRARY_PATH}
END
