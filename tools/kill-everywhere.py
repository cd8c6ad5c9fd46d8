#!/usr/bin/env python3
"""Kills each command of `prep` at every system call that changes a file, then runs it again.

usage: kill-everywhere.py PREP

A killed command, run again, must produce the same bytes as an uninterrupted run. `strace` (which must be
installed) kills the process in its Nth call of one kind, for every kind and every N that the command reaches;
the kills in the tests are timed by the clock and miss moments that last microseconds.
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile

CALLS = (
    "openat write pwrite64 writev rename unlink mkdir rmdir fsync fdatasync ftruncate close copy_file_range "
    "fallocate read"
).split()


def bitmap(path, seed, side=32):
    """Writes an image with 24 bits per pixel."""
    data = bytes((x * 31 + seed * 101 + y * 7) & 255 for y in range(side) for x in range(side * 3))
    head = b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(data), 0, 0, 0, 0)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(head + data)


def contents(folder):
    """The files below a folder with the hash of their content, and its folders."""
    found = {}
    for at, folders, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), folder)] = hashlib.md5(file.read()).hexdigest()
        for name in folders:
            found[os.path.relpath(os.path.join(at, name), folder) + "/"] = ""
    return found


def main(prep, base):
    for i in range(24):
        bitmap(f"{base}/source/{'val' if i % 5 == 0 else 'train'}/class-{i % 3}/{i}.bmp", i)
    source, shards, whole, out = (f"{base}/{name}" for name in ("source", "shards", "whole", "out"))
    ingest = ["ingest", source, "--size", "32", "--shard-records", "6", "--codec", "raw"]
    subprocess.run([prep, *ingest, "--out", shards], check=True, capture_output=True)
    commands = [
        ingest,
        ["convert", shards, "--codec", "zstd"],
        ["subset", shards, "--fraction", "0.8"],
        ["export", shards, "--to", "folder"],
        ["export", shards, "--to", "webdataset", "--shard-records", "5"],
        ["export", shards, "--to", "parquet", "--shard-records", "5"],
    ]
    kills = faults = 0
    for command in commands:
        shutil.rmtree(whole, ignore_errors=True)
        subprocess.run([prep, *command, "--threads", "1", "--out", whole], check=True, capture_output=True)
        expected = contents(whole)
        before = kills
        for call in CALLS:
            nth = 0
            while True:
                nth += 1
                shutil.rmtree(out, ignore_errors=True)
                again = [prep, *command, "--threads", "1", "--out", out]
                killer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
                killer += ["-e", f"inject={call}:signal=KILL:when={nth}"]
                if subprocess.run(killer + again, capture_output=True).returncode == 0:
                    break
                kills += 1
                end = subprocess.run(again, capture_output=True, text=True)
                if end.returncode != 0:
                    faults += 1
                    print(f"{command[0]}: killed in {call} {nth}: {end.stderr.strip()}")
                elif contents(out) != expected:
                    faults += 1
                    print(f"{command[0]}: killed in {call} {nth}: different bytes")
        print(f"{' '.join(command[:1] + command[2:])}: {kills - before} kills", flush=True)
    print(f"{kills} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as base:
        sys.exit(main(sys.argv[1], base))
