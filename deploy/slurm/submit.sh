#!/usr/bin/env bash
# Submits an ingest as a job array, and the merge that follows if every task succeeds.
#
#   submit.sh SRC DIR [OPTIONS of prep ingest]
#
# SBATCH_OPTIONS are options of sbatch for the array, such as "--array=0-31 --partition=cpu".
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: submit.sh SRC DIR [OPTIONS of prep ingest]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
# Options are words.
# shellcheck disable=SC2086
array=$(sbatch --parsable ${SBATCH_OPTIONS:-} "$here/ingest.sbatch" "$@")
# Of "id;cluster", the number.
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "$here/merge.sbatch" "$2")
echo "job array $array, then merge ${merge%%;*}"
