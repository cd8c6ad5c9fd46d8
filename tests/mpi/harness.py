"""Trains in several processes on several hosts, compares them with one process, and breaks what can break.

    harness.py PROGRAMS [--only NAME]... [--keep FOLDER]

PROGRAMS is the folder of `prep` and of a `train` that was built with `--features mpi`. Hosts are network namespaces
(`hosts.py`), so this must run as root, on Linux, with Debian's packages openmpi-bin and iproute2.
"""

import argparse
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from hosts import Hosts
from runs import Bench, Going, expect, near

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "remote"))
import images

TIMEOUT = 5  # seconds that a silent rank is waited for
# What a rank that has waited in vain takes to end all: it gives rank 0 five seconds to say why, and mpirun needs some
# to end the others.
END = 15
LOOP = f"--epochs 10000 --checkpoint-every 3 --rank-timeout {TIMEOUT}"


def as_one(bench: Bench) -> str:
    """1 to 4 ranks make the steps of one process."""
    bench.alone("one", "--max-steps 10 --epochs 9")
    said = []
    for ranks in (1, 2, 3, 4):
        run = f"{ranks}-ranks"
        bench.ranks(ranks, run, "--max-steps 10 --epochs 9")
        for key in ("loss", "gradient_norm"):
            found, expected = bench.steps(run, key), bench.steps("one", key)
            expect(len(found) == 10, f"{len(found)} steps")
            first = near(found[:1], expected[:1], 1e-5, f"{key} of the first step, {ranks} ranks")
            all_ = near(found, expected, 1e-4, f"{key}, {ranks} ranks")
            said.append(f"{ranks} ranks {key} {first:.1e} {all_:.1e}")
    same = bench.last("1-ranks").read_bytes() == bench.last("one").read_bytes()
    expect(same, "one rank's checkpoint has other bytes than one process's")
    return "; ".join(said)


def twice(bench: Bench) -> str:
    """The same command gives the same bits."""
    for run in ("first", "second"):
        bench.ranks(3, run, "--max-steps 10 --epochs 9")
    same = bench.last("first").read_bytes() == bench.last("second").read_bytes()
    expect(same, "two runs of three ranks have other bits")
    return "3 ranks, 10 steps: the same checkpoint"


def whole_run(bench: Bench) -> str:
    """A run to its end: evaluations of all ranks' parts, and only rank 0 writes and prints."""
    bench.alone("one-whole", "--epochs 2")
    ended = bench.ranks(3, "whole", "--epochs 2")
    for key in ("samples", "top1_error", "top5_error"):
        found, one = ([line[key] for line in bench.lines(run, "evaluation")] for run in ("whole", "one-whole"))
        expect(found == one and len(found) == 2, f"{key} {found} and {one}")
    expect(ended.text.count("network   ") == 1, f"not printed once: {ended.text}")
    expect("rank 2 (host shm-host-c)" in ended.text, ended.text)
    return f"{len(bench.lines('whole', 'step'))} steps, errors as one process's"


def fewer(bench: Bench) -> str:
    """A checkpoint of three ranks goes on with two, and with one."""
    bench.alone("one-long", "--max-steps 12 --epochs 9")
    bench.ranks(3, "moves", "--max-steps 4 --epochs 9")
    bench.ranks(2, "moves", "--max-steps 9 --epochs 9 --resume")
    bench.alone("moves", "--max-steps 12 --epochs 9 --resume")
    off = near(bench.steps("moves", "loss"), bench.steps("one-long", "loss"), 1e-4, "loss")
    return f"4 steps of 3 ranks, 5 of 2, 3 of 1: losses within {off:.1e}"


def killed(bench: Bench) -> str:
    """A rank that is killed ends all."""
    going = bench.start(3, "killed", "--epochs 10000 --checkpoint-every 3")
    bench.wait_for_steps("killed", 8)
    [victim] = bench.hosts.processes(bench.hosts.names[1])
    os.kill(victim, signal.SIGKILL)
    ended = going.end(END)
    expect(ended.code != 0, "exit code 0")
    expect("exited on signal 9" in ended.text, ended.text[-2000:])
    gone(bench)
    step = bench.saved_step("killed")
    expect(step >= 6, f"checkpoint of step {step}")
    return f"all ended {ended.seconds:.1f} s later with {ended.code}; the checkpoint of step {step} is whole"


def stopped(bench: Bench) -> str:
    """A rank that stands still ends all, by name."""
    return silent(bench, "stopped", lambda: signal_rank(bench, 2, signal.SIGSTOP), "rank 2 (host shm-host-c)")


def first_stopped(bench: Bench) -> str:
    """The same of rank 0, which prints for the others."""
    return silent(bench, "first-stopped", lambda: signal_rank(bench, 0, signal.SIGSTOP), "rank 0 (host shm-host-a)")


def cut_off(bench: Bench) -> str:
    """A host that is off the network: the ranks end on all hosts by themselves; mpirun waits for its daemon there."""
    going = bench.start(3, "cut-off", LOOP)
    bench.wait_for_steps("cut-off", 8)
    bench.hosts.cut(bench.hosts.names[2])
    cut = time.monotonic()
    try:
        gone(bench, TIMEOUT + END)
        seconds = time.monotonic() - cut
        # As a person would, with Ctrl-C twice.
        for _ in range(2):
            going.process.send_signal(signal.SIGINT)
            time.sleep(1)
        ended = going.end(END)
        expect(ended.code != 0, "exit code 0")
        expect("rank 2 (host shm-host-c) sent nothing for" in ended.text, ended.text[-2000:])
        step = bench.saved_step("cut-off")
        return f"all ranks ended after {seconds:.1f} s, mpirun after Ctrl-C twice; step {step} is whole"
    finally:
        bench.hosts.clear(bench.hosts.names[2])
        bench.hosts.join(bench.hosts.names[2])


def signal_rank(bench: Bench, rank: int, number: int) -> None:
    for process in bench.hosts.processes(bench.hosts.names[rank]):
        os.kill(process, number)


def silent(bench: Bench, run: str, break_it, named: str) -> str:
    going = bench.start(3, run, LOOP)
    bench.wait_for_steps(run, 8)
    break_it()
    ended = going.end(TIMEOUT + END)
    expect(ended.code != 0, "exit code 0")
    said = f"{named} sent nothing for {TIMEOUT} s"
    expect(said in ended.text, ended.text[-2000:])
    gone(bench, TIMEOUT + END)
    step = bench.saved_step(run)
    expect(step >= 6, f"checkpoint of step {step}")
    return f"all ended {ended.seconds:.1f} s later with {ended.code}; the checkpoint of step {step} is whole"


def gone(bench: Bench, longest: float = END) -> None:
    """Checks that no process of ours is left on any host."""
    end = time.monotonic() + longest
    while True:
        left = {name: bench.hosts.processes(name) for name in bench.hosts.names}
        if not any(left.values()):
            return
        expect(time.monotonic() < end, f"still there: {left}")
        time.sleep(0.1)


def asked(bench: Bench) -> str:
    """SIGTERM to one rank, or to mpirun, ends all after the same step, with a checkpoint."""
    said = []
    for run, rank in (("asked-last", 2), ("asked-first", 0), ("asked-mpirun", None)):
        going = bench.start(3, run, "--epochs 10000")
        bench.wait_for_steps(run, 5)
        if rank is None:
            going.process.send_signal(signal.SIGTERM)
        else:
            signal_rank(bench, rank, signal.SIGTERM)
        ended = going.end()
        # mpirun has a code of its own for a signal that it was sent.
        expect(ended.code == (1 if rank is None else 0), f"exit code {ended.code}: {ended.text[-2000:]}")
        saved, made = bench.saved_step(run), len(bench.steps(run, "loss"))
        expect(saved == made, f"{made} steps, and the checkpoint is of {saved}")
        expect("stopped after step" in ended.text, ended.text[-2000:])
        said.append(f"{'mpirun' if rank is None else f'rank {rank}'} asked: step {saved}, {ended.seconds:.1f} s")
    bench.ranks(2, "asked-last", f"--epochs 10000 --resume --max-steps {bench.saved_step('asked-last') + 2}")
    return "; ".join(said)


def other_settings(bench: Bench) -> str:
    """A rank with another rate, and one with another dataset, are refused by name."""
    first = [*bench.hosts.mpirun(2), *bench.words("other")]
    at = first.index("-n")
    hosts = first[at + 2 : at + 4]
    expect(hosts[0] == "--host", str(first))
    head = first[:at] + first[at + 4 :]
    head = head[: head.index(bench.train)]
    names = bench.hosts.names
    shutil.copytree(bench.shards, bench.folder / "others", dirs_exist_ok=True)
    manifest = bench.folder / "others" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    for words, text in (
        (
            bench.words("other", "--momentum 0.5"),
            "rank 1 (host shm-host-b) has recipe.sgd.momentum 0.5, and rank 0 has 0.9",
        ),
        (
            bench.words("other", shards=bench.folder / "others"),
            "rank 1 (host shm-host-b) has a manifest.json with CRC-32C",
        ),
    ):
        command = [*head, "-n", "1", "--host", names[0], *bench.words("other"), ":"]
        command += ["-n", "1", "--host", names[1], *words]
        ended = Going(command, bench.folder).end(60)
        expect(ended.code != 0, "exit code 0")
        expect(ended.text.count(text) == 1, f"{text!r} not once in {ended.text[-3000:]}")
        expect(not (bench.folder / "other").exists(), "something was written")
    gone(bench)
    return "both refused once, by rank 0, and nothing was written"


def damaged(bench: Bench) -> str:
    """A damaged shard on one host ends all with that rank's words."""
    bad = bench.folder / "damaged"
    shutil.copytree(bench.shards, bad, dirs_exist_ok=True)
    shard = next(bad.glob("train-*.safetensors"))
    content = bytearray(shard.read_bytes())
    for at in range(len(content) // 3, len(content) // 3 * 2, 1000):
        content[at] ^= 0xFF
    shard.write_bytes(content)
    # The host sees the damaged copy in the place of the dataset.
    words = " ".join(bench.words("damaged-run", "--epochs 9"))
    script = bench.folder / "damaged.sh"
    script.write_text(
        f'#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" = 1 ] && mount --bind {bad} {bench.shards}\nexec {words}\n'
    )
    script.chmod(0o755)
    ended = Going([*bench.hosts.mpirun(3), "unshare", "--mount", str(script)], bench.folder).end(60)
    expect(ended.code != 0, "exit code 0")
    said = [line for line in ended.text.splitlines() if line.startswith("error: ")]
    expect(len(said) == 1 and said[0].startswith("error: rank 1 (host shm-host-b): "), ended.text[-3000:])
    expect("record" in said[0], said[0])
    gone(bench)
    return said[0][:150]


def unconnected(bench: Bench) -> str:
    """Processes of torchrun, and of srun without PMIx, are refused; one process of mpirun needs no MPI."""
    for variables in ({"RANK": "0", "WORLD_SIZE": "2"}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}):
        result = subprocess.run(
            bench.words("unconnected"), env=os.environ | variables, capture_output=True, text=True, timeout=60
        )
        expect(result.returncode == 1 and "mpirun -n 2" in result.stderr, result.stderr)
    expect(not (bench.folder / "unconnected").exists(), "something was written")
    return "refused, and mpirun named"


def waiting(bench: Bench) -> str:
    """Measures the share of a step of the full network that two ranks spend in messages, each with one thread."""
    shards = bench.folder / "full"
    if not shards.exists():
        images.make(bench.folder / "large", images=320, side=256, classes=5)
        words = f"ingest {bench.folder}/large/png --out {shards} --codec raw --val-fraction 0.1"
        bench.check(Going([bench.prep, *words.split()], bench.folder).end())
    network = "--width 1 --crop 224 --batch-size 64 --lr 1e-6 --epochs 99 --max-steps 16"
    words = [*bench.hosts.mpirun(2), "-x", "RAYON_NUM_THREADS=1"]
    words += [bench.train, "--shards", str(shards), "--out", str(bench.folder / "waiting"), *network.split()]
    words += ["--log-every", "1", "--eval-every", "0", "--no-snapshots"]
    bench.check(Going(words, bench.folder).end(600))
    said = []
    # The first step allocates everything, and the last batch of an epoch is smaller.
    steps = [line for line in bench.lines("waiting", "step")[1:] if line["samples"] % 64 == 0]
    for key, factor, unit in (("rank_wait", 100, "% of a step in messages"), ("images_per_second", 1, " images/s")):
        found = [factor * line[key] for line in steps]
        said.append(f"median {statistics.median(found):.1f}{unit} ({min(found):.1f} to {max(found):.1f})")
    return f"{', '.join(said)}, n = {len(found)}"


TRIALS = [
    as_one,
    twice,
    whole_run,
    fewer,
    killed,
    stopped,
    first_stopped,
    asked,
    other_settings,
    damaged,
    unconnected,
    waiting,
    # What is left of a host that was cut off is no start for the next trial.
    cut_off,
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=[trial.__name__ for trial in TRIALS])
    parser.add_argument("--keep", type=pathlib.Path, help="keep the runs in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardmill-mpi-") as scratch:
        folder = (options.keep or pathlib.Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with Hosts(4, folder) as hosts:
            bench = Bench(options.programs.absolute(), folder, hosts)
            images.make(folder / "images", images=120, side=96, classes=5)
            if not bench.shards.exists():
                words = f"ingest {folder}/images/png --out {bench.shards} --size 96 --codec raw --val-fraction 0.2"
                bench.check(Going([bench.prep, *words.split()], folder).end())
            failed = 0
            for trial in TRIALS:
                if options.only and trial.__name__ not in options.only:
                    continue
                begin = time.monotonic()
                try:
                    said = f"ok      {trial(bench)}"
                except AssertionError as error:
                    failed += 1
                    said = f"FAILED  {error}"
                print(f"{trial.__name__:15} {said} ({time.monotonic() - begin:.0f} s)", flush=True)
    if failed:
        raise SystemExit(f"error: {failed} failed")


if __name__ == "__main__":
    main()
