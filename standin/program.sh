#!/usr/bin/env bash
# Runs a `train` with the feature `cuda` on the stand-ins for NVIDIA's libraries: `gpu-check` without the parts
# that measure speed; training runs in each precision, compared with the CPU; runs under random delays and runs
# resumed from a checkpoint, which must give the same bits; and runs resumed on the other device.
# Usage: program.sh TRAIN [LIBRARIES]; LIBRARIES is the folder where the stand-ins are built and kept.
set -euo pipefail
train=$(realpath "${1:?usage: program.sh TRAIN [LIBRARIES]}")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libraries=${2:-$work/libraries}
"$here/driver.sh" "$train" "$libraries"
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# Enough for the networks here, and so small that the workspace, a share of it, soon fills up.
export HOST_CARD_MEMORY=1500000000

fail() {
  echo "$*" >&2
  exit 1
}

# The stand-ins must notice each wrong call: with NVIDIA's error and exit code 86, or by ending the program.
g++ -std=c++20 -Wall -Wextra -Werror -isystem "$CUDA_HOME/include" "$here/driver/check/wrong.cpp" -o "$work/wrong" \
  "$libraries"/lib{cuda,cublas,cudnn}.so.*
for case in nothing:0 leading-dimension:86 beyond:86 free-twice:86 left-open:86 descriptor:86 border-written:134 parameters:134; do
  status=0
  { "$work/wrong" "${case%:*}"; } 2>"$work/wrong.log" || status=$?
  [ "$status" = "${case#*:}" ] || fail "${case%:*}: exit code $status instead of ${case#*:}: $(cat "$work/wrong.log")"
done

# Trains for some steps into a folder of that name; shows the output if the run fails.
run() { # NAME STEPS FLAGS...
  local name=$1 steps=$2
  shift 2
  "$train" --shards "$work/demo/shards" --out "$work/$name" --width "${WIDTH:-0.25}" --crop 67 --lr 0.005 --epochs 1 \
    --max-steps "$steps" --log-every "${EVERY:-1}" "$@" >"$work/$name.log" 2>&1 || {
    cat "$work/$name.log" >&2
    fail "training failed: $name"
  }
}

# Loss and gradient norm of each step of a run.
figures() {
  sed -nE 's/.*"event":"step".*"loss":([^,]*),.*"gradient_norm":([^,]*),.*/\1 \2/p' "$work/$1/metrics.jsonl"
}

# Checks that two runs agree in every step: within SHARE for the first two, and for the others within a hundred
# times as much, at most 2%. If rounding flips the choice of a ReLU or a pool between nearly equal values, a later
# step shows it; when that happens depends on the shards and the processor.
near() { # RUN RUN SHARE
  paste <(figures "$1") <(figures "$2") | awk -v share="$3" -v names="$1 and $2" '
    function apart(a, b) { return a > b ? (a - b) / a : (b - a) / a }
    BEGIN { later = share * 100 < 0.02 ? share * 100 : 0.02; if (later < share) later = share }
    {
      allowed = NR <= 2 ? share : later
      if (NF != 4 || !(apart($1, $3) <= allowed && apart($2, $4) <= allowed)) { bad = 1; print "step " NR ": " $0 }
      for (i = 1; i <= 2; i++) if (apart($i, $(i + 2)) > worst[NR > 2]) worst[NR > 2] = apart($i, $(i + 2))
    }
    END {
      printf "%s: %d steps, apart by %.1e, allowed %s, later by %.1e, allowed %g\n", names, NR, worst[0], share, worst[1], later
      exit bad || NR == 0
    }' || fail "$1 and $2 differ"
}

same() {
  cmp "$work/$1/last.safetensors" "$work/$2/last.safetensors" || fail "$1 and $2 end in different bits"
  echo "$1 and $2: the same bits"
}

"$train" demo --out "$work/demo" --epochs 0 >"$work/demo.log"
"$train" doctor --shards "$work/demo/shards"
"$train" gpu-check --shards "$work/demo/shards" --out "$work/report.md" --skip training,speed,feed >"$work/check.log" || {
  cat "$work/check.log" >&2
  fail "gpu-check failed"
}
grep -x 'Everything holds.' "$work/report.md"

# A check that is cut short leaves what it has found.
check=("$train" gpu-check --shards "$work/demo/shards")
"${check[@]}" --only operations,networks --out "$work/cut.md" >"$work/cut.log" 2>&1 &
running=$!
until grep -q '^After ' "$work/cut.md" 2>/dev/null; do
  kill -0 "$running" 2>/dev/null || fail "gpu-check ended before it was cut: $(cat "$work/cut.log")"
  sleep 0.1
done
kill -9 "$running"
wait "$running" 2>/dev/null || true
pkill -9 -f -- "--out $work/cut.md.networks" || true
grep 'Not finished: networks was still to end' "$work/cut.md"
grep -q '| convolution | bf16 |' "$work/cut.md" || fail "a check that was cut has lost what it had found"
# A part that dies is named, and the others run all the same.
"${check[@]}" --only operations,several --out "$work/died.md" >"$work/died.log" 2>&1 &
running=$!
until pkill -9 -f -- "--part operations --out $work/died.md.operations"; do
  kill -0 "$running" 2>/dev/null || fail "gpu-check ended before a part died: $(cat "$work/died.log")"
  sleep 0.1
done
status=0
wait "$running" || status=$?
[ "$status" = 1 ] || fail "a check with a part that died ended with $status"
grep 'FAILED, first in operations' "$work/died.md"
grep -q 'the process ended with signal: 9' "$work/died.md" || fail "the end of a part is not told"
[ "$(grep -c '^After ' "$work/died.md")" = 1 ] || fail "after a part that died the others did not run"

# Where the time of a step goes: every layer, both passes, and an algorithm for each pass of each convolution.
bench=("$train" bench --device cuda --width 0.25 --crop 67 --batch-size 4 --steps 2 --stages --json)
"${bench[@]}" >"$work/bench.json"
python3 - "$work/bench.json" <<'PYTHON' || fail "the stages of a step: $(cat "$work/bench.json")"
import json, sys
report = json.load(open(sys.argv[1]))
rows = {row["stage"]: row for row in report["stages"]["rows"]}
layers = "conv1 norm1 pool1 conv2 norm2 pool2 conv3 conv4 conv5 pool5 fc6 drop1 fc7 drop2 fc8".split()
assert list(rows) == ["input", *layers, "loss", "sgd"], list(rows)
assert all(rows[name]["forward"] > 0 and rows[name]["backward"] > 0 for name in layers)
step = sum(row["forward"] + (row["backward"] or 0) for row in rows.values())
assert 0 < step <= 1.5 * report["training_seconds"]["max"], (step, report["training_seconds"])
passes = {(row["layer"], row["pass"]) for row in report["convolutions"] if row["algorithm"] and row["math"]}
expected = {(f"conv{n}", which) for n in range(1, 6) for which in ("forward", "data", "weight")} - {("conv1", "data")}
assert passes == expected, passes
print(f"stages: {len(rows)}, together {step:.3f} s of a step of {report['training_seconds']['median']:.3f}")
PYTHON

exact=(--device cuda --precision f32 --deterministic)
run cpu 4
run f32 4 "${exact[@]}"
run tf32 4 --device cuda
run bf16 4 --device cuda --precision bf16
near cpu f32 1e-4
near cpu tf32 5e-3
near cpu bf16 2e-2

# PTX for the older generations, machine code for the newest: the same kernels, with the same parameters.
for generation in 75 80; do
  HOST_CARD_CAPABILITY=$generation run "generation-$generation" 4 "${exact[@]}"
  same f32 "generation-$generation"
done

# Another rate at every step.
warm=(--batch-size 37 --schedule warm-up --set schedule.epochs=1 --milestones 1)
run cpu-warm 4 "${warm[@]}"
run f32-warm 4 "${warm[@]}" "${exact[@]}"
near cpu-warm f32-warm 1e-4

# The network and input of net145: normalisation within columns and within maps, and a mean image subtracted.
net145=(--recipe net145 --set sgd.bias_lr=0.01)
run cpu-145 4 "${net145[@]}"
run f32-145 4 "${net145[@]}" "${exact[@]}"
run bf16-145 4 "${net145[@]}" --device cuda --precision bf16
near cpu-145 f32-145 1e-4
near cpu-145 bf16-145 2e-2

# At a quarter of the width a column of conv1 has 12 channels, in bf16 no whole packs, so that conv2 is grouped there
# and in columns in f32; at half the width everything is in columns.
WIDTH=0.5 run cpu-half 2
WIDTH=0.5 run f32-half 2 "${exact[@]}"
WIDTH=0.5 run bf16-half 2 --device cuda --precision bf16
near cpu-half f32-half 1e-4
near cpu-half bf16-half 2e-2
# A network without columns, and one whose columns stay apart from pool1 to pool5, with ReLU and with tanh, which
# cuDNN does not compute with a convolution.
run cpu-one 2 --one-column
run f32-one 2 --one-column "${exact[@]}"
near cpu-one f32-one 1e-4
for function in relu tanh; do
  run "cpu-$function" 2 --remove-conv 3 --activation "$function"
  run "f32-$function" 2 --remove-conv 3 --activation "$function" "${exact[@]}"
  near "cpu-$function" "f32-$function" 1e-4
done
run cpu-tanh-3 2 --activation tanh
run f32-tanh-3 2 --activation tanh "${exact[@]}"
near cpu-tanh-3 f32-tanh-3 1e-4

# Algorithms that cuDNN ranks first and then refuses: the next one serves.
for refused in forward:1 data:1 filter:1; do
  flags=(--device cuda --precision f32)
  # Of the others only the forward pass has a second deterministic one.
  [ "$refused" != forward:1 ] || flags+=(--deterministic)
  HOST_DNN_REFUSE=$refused run "without-${refused%:*}" 4 "${flags[@]}"
  near cpu "without-${refused%:*}" 1e-4
done
status=0
HOST_DNN_REFUSE=data:1 "$train" --shards "$work/demo/shards" --out "$work/none" --width 0.25 --crop 67 --max-steps 1 \
  "${exact[@]}" >"$work/none.log" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q 'no algorithm for the data pass' "$work/none.log" ||
  fail "no algorithm left: exit code $status: $(cat "$work/none.log")"

run cpu-sums 4 --batch-size 37 --accumulate 2 --freeze conv1,conv2
HOST_CARD_DELAY=1 run sums 4 --batch-size 37 --accumulate 2 --freeze conv1,conv2 "${exact[@]}"
near cpu-sums sums 1e-4

# No scores are read before the last step, so the host runs ahead of the GPU.
EVERY=100 run ahead 8 "${exact[@]}"
EVERY=100 HOST_CARD_DELAY=5 run delayed 8 "${exact[@]}"
same ahead delayed
EVERY=100 run resumed 3 "${exact[@]}"
EVERY=100 HOST_CARD_DELAY=6 run resumed 8 --resume "${exact[@]}"
same ahead resumed

run to-card 2
run to-card 4 --resume "${exact[@]}"
near cpu to-card 1e-4
run from-card 2 "${exact[@]}"
run from-card 4 --resume --device cpu
near cpu from-card 1e-4

ten() { # RUN FLAGS: the loss over ten views
  local name=$1
  shift
  "$train" eval --checkpoint "$work/$name/last.safetensors" --shards "$work/demo/shards" --views ten --json "$@" |
    sed -nE 's/.*"ten":.*"loss":([^,]*),.*/\1/p'
}
for name in f32 f32-145; do
  ten "$name" >"$work/eval-cpu"
  ten "$name" "${exact[@]}" >"$work/eval-card"
  paste "$work/eval-cpu" "$work/eval-card" | awk -v name="$name" '
    NF == 2 { d = $1 - $2; good = d * d <= 1e-10 * $1 * $1; print "ten views of " name ": losses " $1 " and " $2 }
    END { exit !good }' || fail "ten views of $name differ"
done
