#!/usr/bin/env bash
# Packs a release: builds prep, loader and train, strips them, and puts them with the licences, the README,
# this version's notes out of CHANGELOG.md, and shell completions where there are any, into
# OUT/shardmill-VERSION-TARGET.tar.gz. OUT/SHA256SUMS holds the archive's checksum. The same binaries give
# the same archive: its times are the commit's. An archive that is there already stays unless --force is
# given. --notes prints the notes of a version, this one's by default, and does nothing else.
# Usage: tools/release.sh [--force] [OUT], with OUT target/releases by default
#        tools/release.sh --notes [VERSION]
set -euo pipefail
cd "$(dirname "$0")/.."

# The most that the three programs may take together, in bytes.
limit=60000000
usage='usage: tools/release.sh [--force] [OUT] | --notes [VERSION]'

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The text below the heading of a version, without empty lines around it.
notes() {
  local found
  found=$(awk -v version="$1" '
    /^## / { here = $2 == version; next }
    here { print }
  ' CHANGELOG.md)
  # The shell has cut the empty lines at the end; these are those at the start.
  found=${found#"${found%%[!$'\n']*}"}
  [ -n "$found" ] || fail "CHANGELOG.md has no section for version $1: write one under the heading \"## $1\""
  printf '%s\n' "$found"
}

version=$(awk -F'"' '/^\[/ { here = $0 == "[workspace.package]" } here && /^version/ { print $2 }' Cargo.toml)
[ -n "$version" ] || fail "Cargo.toml names no version in [workspace.package]"

force=
out=
while [ $# -gt 0 ]; do
  case $1 in
  --notes)
    notes "${2:-$version}"
    exit
    ;;
  --force) force=yes ;;
  -h | --help)
    echo "$usage"
    exit
    ;;
  -*) fail "$1 is unknown; $usage" ;;
  *) [ -z "$out" ] && out=$1 || fail "more than one folder is given; $usage" ;;
  esac
  shift
done

target_dir=${CARGO_TARGET_DIR:-target}
out=${out:-$target_dir/releases}
target=${CARGO_BUILD_TARGET:-$(rustc -vV | awk '/^host: / { print $2 }')}
name=shardmill-$version-$target
archive=$name.tar.gz
if [ -e "$out/$archive" ] && [ -z "$force" ]; then
  fail "$out/$archive exists: remove it, or overwrite it with --force"
fi
text=$(notes "$version")
if grep -q "^## $version (unreleased)" CHANGELOG.md; then
  echo "warning: CHANGELOG.md calls version $version unreleased" >&2
fi
if [ -n "$(git status --porcelain 2>/dev/null)" ]; then
  echo "warning: the tree has changes that are not committed" >&2
fi

cargo build --release --locked -p shardmill-prep -p shardmill-loader -p shardmill-trainer
built=$target_dir/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}release

mkdir -p "$out"
work=$(mktemp -d "$out/.release-XXXXXX")
trap 'rm -rf "$work"' EXIT
folder=$work/$name
mkdir "$folder"
bytes=0
for program in prep loader train; do
  cp "$built/$program" "$folder/$program"
  "${STRIP:-strip}" --strip-all "$folder/$program"
  # A program for another machine cannot say what it is.
  if [ -z "${CARGO_BUILD_TARGET:-}" ]; then
    said=$("$folder/$program" --version)
    [ "${said##* }" = "$version" ] || fail "$program says \"$said\", Cargo.toml says $version"
  fi
  size=$(wc -c <"$folder/$program")
  bytes=$((bytes + size))
  printf '%-7s %12d bytes\n' "$program" "$size"
done
printf '%-7s %12d bytes\n' together "$bytes"
[ "$bytes" -le "$limit" ] || fail "the programs take $bytes bytes together, more than $limit"

cp LICENSE-APACHE LICENSE-MIT README.md "$folder/"
printf '%s\n' "$text" >"$folder/NOTES.md"
[ -d completions ] && cp -r completions "$folder/"

# Times and owners of the commit and of nobody, so that the archive depends on what is in it.
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
chmod -R u=rwX,go=rX "$folder"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$seconds" -C "$work" -cf - "$name" |
  gzip -9n >"$work/$archive"
mv -f "$work/$archive" "$out/$archive"
# One line for each archive that lies here: those for other machines and earlier versions too.
(cd "$out" && sha256sum shardmill-*.tar.gz >.SHA256SUMS && mv -f .SHA256SUMS SHA256SUMS)
printf '%-7s %12d bytes\n' archive "$(wc -c <"$out/$archive")"
echo "$out/$archive"
