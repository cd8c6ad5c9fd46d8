#!/usr/bin/env bash
# Packs what a check of a GPU needs into a folder that can be copied to a machine with one: the stripped program,
# tools/gpu-check.sh, tests/reference/torch_speed.py and run.sh, which starts the check with them. No shards: the
# check draws its own images. Prints the folder's size and the command to give on that machine.
# TRAIN is target/release/train by default, and must be built with the feature `nccl` or `cuda`. DIR must not exist,
# or be a folder that this script made, which is replaced. A folder over 64 MiB is not made.
# Usage: tools/gpu-pack.sh DIR [TRAIN]
set -euo pipefail

# The most that the folder may take, in bytes.
limit=$((64 << 20))
marker=.shardmill-gpu-pack
usage='usage: gpu-pack.sh DIR [TRAIN]'

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

case ${1:-} in
-h | --help)
  echo "$usage"
  exit
  ;;
-*) fail "$1 is unknown; $usage" ;;
esac
[ $# -le 2 ] || fail "too many arguments; $usage"
folder=${1:?$usage}
root=$(cd "$(dirname "$0")/.." && pwd)
train=${2:-${CARGO_TARGET_DIR:-$root/target}/release/train}
[ -f "$train" ] || fail "there is no program $train: build it with \`cargo build --release --features nccl -p shardmill-trainer\` (docs/cuda.md says what that needs)"
if { [ -e "$folder" ] || [ -L "$folder" ]; } && [ ! -f "$folder/$marker" ]; then
  fail "$folder exists and was not made by this script: give another folder"
fi
# Fails with words of its own for a program without CUDA.
libraries=$(bash "$root/tools/gpu-check.sh" --libraries "$train")

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/.gpu-pack-XXXXXX")
trap 'rm -rf "$work"' EXIT
touch "$work/$marker"
mkdir -p "$work/tools" "$work/tests/reference"
cp "$root/tools/gpu-check.sh" "$work/tools/"
cp "$root/tests/reference/torch_speed.py" "$work/tests/reference/"
cp "$train" "$work/train"
strip=${STRIP:-strip}
if ! command -v "$strip" >/dev/null; then
  echo "$strip is missing: the program is packed with its symbols" >&2
elif ! "$strip" --strip-all "$work/train"; then
  echo "$strip failed: the program is packed as it is" >&2
  cp "$train" "$work/train"
fi
cat >"$work/run.sh" <<'END'
#!/usr/bin/env bash
# Checks this machine's GPU. The report is report.md, PyTorch's table report.torch.md, in the folder OUT if that
# variable is set, otherwise in the current one. Arguments go to tools/gpu-check.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec bash "$here/tools/gpu-check.sh" "$here/train" - report.md --torch-script "$here/tests/reference/torch_speed.py" "$@"
END
chmod 755 "$work" "$work/train" "$work/run.sh" "$work/tools/gpu-check.sh"

bytes=$(find "$work" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum }')
if [ "$bytes" -gt "$limit" ]; then
  largest=$(find "$work" -type f -printf '%s bytes %P\n' | sort -rn | head -n 3)
  fail "the folder would take $bytes bytes, more than $limit; its largest files: ${largest//$'\n'/, }"
fi
rm -rf "$folder"
mv "$work" "$folder"
trap - EXIT
echo "needs on the machine: ${libraries//$'\n'/ }"
echo "$folder: $bytes bytes"
printf 'command: bash %q/run.sh\n' "${folder%/}"
