#!/bin/sh
# Names what `just mpi` needs and this machine lacks.
missing=
command -v mpicc >/dev/null || missing="$missing libopenmpi-dev"
command -v mpirun >/dev/null || missing="$missing openmpi-bin"
command -v ip >/dev/null || missing="$missing iproute2"
# bindgen loads it by this name.
for library in ${LIBCLANG_PATH:-} /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib; do
    for file in "$library"/libclang.so* "$library"/libclang-*.so*; do
        [ -e "$file" ] && found=$file
    done
done
[ -n "${found:-}" ] || missing="$missing libclang-dev"
if [ -n "$missing" ]; then
    echo "error: this needs Debian's packages$missing; install them with: apt-get install$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "error: network namespaces need root; run this with sudo" >&2
    exit 1
fi
