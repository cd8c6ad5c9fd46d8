#!/usr/bin/env bash
# Asks the real cuDNN for its plans of every convolution that the paper's network makes on a GPU, in bf16 at 128 and
# 1,024 rows, on an H100 and an A100, neither of which is needed. Every pass must have a plan without workspace, the
# first plan may want little, and on the H100 the first must be of an engine that the A100 does not have. What the legacy
# calls of cuDNN choose is not said.
# Usage: run.sh TRAIN LIBRARIES; LIBRARIES has the stand-ins that TRAIN starts with. CUDA_HOME has cuDNN 9.8 or newer.
set -euo pipefail
train=$(realpath "${1:?usage: run.sh TRAIN LIBRARIES}")
libraries=$(realpath "${2:?usage: run.sh TRAIN LIBRARIES}")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -O1 -std=c++20 -Wall -Wextra -Werror -isystem "$CUDA_HOME/include" "$here/plans.cpp" -o "$work/plans" \
  "$CUDA_HOME/lib64/libcudnn.so.9"
LD_LIBRARY_PATH=$libraries "$train" summary --convolutions >"$work/convolutions"
for rows in 128 1024; do
  LD_LIBRARY_PATH=$CUDA_HOME/lib64 "$work/plans" "$rows" "$here/h100.json" "$here/a100.json" <"$work/convolutions"
done >"$work/table"
echo "convolution, pass, rows | H100: plans, first engine, its workspace, the least | A100: the same | engine of the H100"
cat "$work/table"
# A few bytes are a plan's parameters. The trainer keeps 64 MiB at least.
awk '
  {
    split($0, part, / \| /)
    for (gpu = 2; gpu <= 3; gpu++) {
      split(part[gpu], value, " ")
      if (value[1] < 1) { print part[1] ": no plan"; bad = 1 }
      else if (value[4] > 1024) { print part[1] ": no plan without workspace"; bad = 1 }
      else if (value[3] > 33554432) { print part[1] ": the first plan wants " value[3] " bytes"; bad = 1 }
    }
    if (part[4] != "own") { print part[1] ": the first plan of the H100 is not of its generation"; bad = 1 }
  }
  END { exit bad || NR == 0 }' "$work/table"
