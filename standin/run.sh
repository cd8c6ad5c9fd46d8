#!/usr/bin/env bash
# Compiles the CUDA kernels for the host and compares them with their definitions: plain, and under
# ThreadSanitizer, and under AddressSanitizer with UndefinedBehaviorSanitizer. Needs g++ 11 or newer.
# Usage: run.sh [plain|thread|address]...
set -euo pipefail
if ! command -v g++ >/dev/null; then
  echo "g++ is missing: the CUDA kernels are compiled for the host with it" >&2
  exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../trainer/src/cuda/kernels
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
[ $# -gt 0 ] || set -- plain thread address
for kind in "$@"; do
  # The kernels move packs of values as words, which nvcc compiles as intended: hence -fno-strict-aliasing.
  flags=(-std=c++20 -O1 -g -Wall -Wextra -Werror -Wno-unknown-pragmas -fno-strict-aliasing
    -ffp-contract=off -pthread -I "$here")
  case $kind in
  plain) ;;
  thread) flags+=(-fsanitize=thread) ;;
  address) flags+=(-fsanitize=address,undefined -fno-sanitize-recover=all) ;;
  *)
    echo "unknown kind $kind: plain, thread or address" >&2
    exit 1
    ;;
  esac
  mkdir "$out/$kind"
  # Two at a time.
  printf '%s\n' "$kernels"/*.cu "$here"/*.cpp |
    xargs -P 2 -I '{}' sh -c 'file=$1; shift; exec g++ "$@" -x c++ -c "$file" -o "$0/$(basename "$file").o"' "$out/$kind" '{}' "${flags[@]}"
  g++ "${flags[@]}" "$out/$kind"/*.o -o "$out/$kind/kernels"
  echo "$kind:"
  "$out/$kind/kernels"
done
