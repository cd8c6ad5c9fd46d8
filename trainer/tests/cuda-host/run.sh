#!/usr/bin/env bash
# Compiles the CUDA kernels for the host and runs them against their definitions: plainly, and under the
# thread and address sanitizers. Needs g++ 11 or newer. Usage: run.sh [plain|thread|address]...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../src/cuda
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
[ $# -gt 0 ] || set -- plain thread address
for kind in "$@"; do
  flags=(-std=c++20 -O1 -g -Wall -Wextra -Werror -ffp-contract=off -pthread -I "$here")
  [ "$kind" = plain ] || flags+=("-fsanitize=$kind")
  objects=()
  for source in "$kernels"/*.cu; do
    object=$out/$(basename "$source").o
    g++ "${flags[@]}" -x c++ -c "$source" -o "$object"
    objects+=("$object")
  done
  g++ "${flags[@]}" "$here/main.cpp" "${objects[@]}" -o "$out/kernels"
  printf '%s: ' "$kind"
  "$out/kernels"
done
