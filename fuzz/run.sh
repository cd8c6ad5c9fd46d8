#!/usr/bin/env bash
# Fuzzes every target, or those that are named, for so many seconds of processor time each:
#   fuzz/run.sh SECONDS [TARGET ...]
# It needs the Rust toolchain and a C++ compiler. The programs are those of `cargo fuzz run --sanitizer none`, built
# with the same flags by cargo alone. Each begins with its seeds, with what is in fuzz/corpus/TARGET from earlier runs,
# and with the findings in fuzz/regressions/TARGET. New findings are left in fuzz/artifacts/TARGET, and fail the run.
set -euo pipefail
cd "$(dirname "$0")"
if ! [[ ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: fuzz/run.sh SECONDS [TARGET ...]" >&2
  exit 2
fi
seconds=$1
shift
if [ $# -eq 0 ]; then
  for file in targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi

# Longest input, in bytes; seconds after which an input counts as a hang; and most memory of the whole process, the
# fuzzer's own tables included, in MB. The programs limit what the parsers take on their own (MEMORY_LIMIT).
limits=(-max_len=16384 -timeout=10 -rss_limit_mb=1024)
# Coverage of edges, counters and compared values: the flags of cargo-fuzz 0.13.
flags=(
  --cfg fuzzing
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cllvm-args=-simplifycfg-branch-fold-threshold=0
)
# With the host named as the target, build scripts are built without these flags.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
RUSTFLAGS="${flags[*]}" cargo build --release --locked --bins --target "$host"
programs=${CARGO_TARGET_DIR:-target}/$host/release

# Processor time of a process in hundredths of a second: fields 14 and 15 of proc(5), behind the name in brackets.
processor_time() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra stat <<<"${stat##*) }"
  echo $((stat[11] + stat[12]))
}
# The last `cov:` and `ft:` of a log.
coverage() { sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\) .*/\1 \2/p' "$1" | tail -n 1; }

log=$(mktemp)
child=
trap 'rm -f "$log"; [ -z "$child" ] || kill "$child" 2>/dev/null || true' EXIT
total=0
printf '%-14s %12s %8s %9s %17s %9s\n' target executions edges features 'at three quarters' findings
for target in "$@"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  # libFuzzer misses the sanitizers, whose functions it does not need.
  SHARDMILL_SEEDS=corpus/$target "$programs/$target" 2> >(grep -v "^WARNING: Failed to find function \"__sanitizer" >&2 || true)
  folders=("corpus/$target")
  [ ! -d "regressions/$target" ] || folders+=("regressions/$target")
  "$programs/$target" "${limits[@]}" -print_final_stats=1 "-artifact_prefix=artifacts/$target/" "${folders[@]}" \
    >"$log" 2>&1 &
  child=$!
  earlier=
  while used=$(processor_time "$child"); do
    # In hundredths: three quarters of the time, and all of it.
    if [ -z "$earlier" ] && ((used >= 75 * seconds)); then earlier=$(coverage "$log"); fi
    # The fuzzer ends after the input that it is at.
    if ((used >= 100 * seconds)); then kill -USR1 "$child" 2>/dev/null || true; fi
    sleep 0.2
  done
  status=0
  wait "$child" || status=$?
  child=
  findings=0
  if [ "$status" -ne 0 ]; then findings=1; fi
  total=$((total + findings))
  read -r edges features <<<"$(coverage "$log")" || true
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%-14s %12s %8s %9s %17s %9s\n' \
    "$target" "${executions:-?}" "${edges:-?}" "${features:-?}" "${earlier##* }" "$findings"
  # Panics inside of dependencies that became errors.
  grep -a '^guarded panic: ' "$log" | sort -u || true
  if [ "$findings" -ne 0 ]; then
    grep -a -v -E '^#[0-9]+|NEW_FUNC|Failed to find' "$log" | tail -n 60 >&2
  fi
done
if [ "$total" -ne 0 ]; then
  echo "findings of $total targets are in fuzz/artifacts: see CONTRIBUTING.md, Fuzzing" >&2
  exit 1
fi
