"""Runs `train` in one process or under mpirun, and reads what a run has written."""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time
import typing

from hosts import Hosts

# A narrow network and images that it takes; a rate at which ten steps stay comparable.
NETWORK = "--width 0.1 --crop 95 --batch-size 12 --lr 2e-5 --final-views center --seed 5"
LONGEST = 300  # seconds of one command


class Ended(typing.NamedTuple):
    """How a command ended."""

    code: int
    text: str
    seconds: float


class Going:
    """A command under way. What it prints goes to a file, which processes that it leaves behind may hold open."""

    def __init__(self, command: list[str], folder: pathlib.Path):
        self.said = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as the command)
        settings = os.environ | {"TMPDIR": str(folder)}
        files = {"stdout": self.said, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=folder, env=settings, **files)

    def end(self, longest: float = LONGEST) -> Ended:
        """Waits for the end, which must come within so many seconds."""
        asked = time.monotonic()
        try:
            self.process.wait(timeout=longest)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not ended after {longest} s: {self.text()[-3000:]}") from None
        return Ended(self.process.returncode, self.text(), time.monotonic() - asked)

    def text(self) -> str:
        self.said.seek(0)
        return self.said.read().decode(errors="replace")


class Bench:
    """Where a test runs: programs, hosts, dataset."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path, hosts: Hosts):
        self.train, self.prep = (str(programs / name) for name in ("train", "prep"))
        self.folder, self.hosts = folder, hosts
        self.shards = folder / "shards"

    def words(self, run: str, more: str = "", shards: pathlib.Path | None = None) -> list[str]:
        """The command line of a training."""
        words = f"{NETWORK} --log-every 1 {more}".split()
        return [self.train, "--shards", str(shards or self.shards), "--out", str(self.folder / run), *words]

    def alone(self, run: str, more: str = "") -> Ended:
        return self.check(Going(self.words(run, more), self.folder).end())

    def start(self, ranks: int, run: str, more: str = "") -> Going:
        return Going([*self.hosts.mpirun(ranks), *self.words(run, more)], self.folder)

    def ranks(self, ranks: int, run: str, more: str = "") -> Ended:
        """Trains with a process on each of so many hosts, which must succeed."""
        return self.check(self.start(ranks, run, more).end())

    @staticmethod
    def check(ended: Ended) -> Ended:
        if ended.code:
            raise AssertionError(f"ended with {ended.code}: {ended.text[-3000:]}")
        return ended

    def lines(self, run: str, event: str) -> list[dict]:
        text = (self.folder / run / "metrics.jsonl").read_text()
        # The last line of a killed run may be cut off.
        lines = (json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n"))
        return [line for line in lines if line["event"] == event]

    def steps(self, run: str, key: str) -> list[float]:
        return [line[key] for line in self.lines(run, "step")]

    def last(self, run: str) -> pathlib.Path:
        return self.folder / run / "last.safetensors"

    def saved_step(self, run: str) -> int:
        """The step of the last checkpoint, which must be whole: `train eval` compares its checksum."""
        last = self.last(run)
        words = f"eval --checkpoint {last} --shards {self.shards} --views center"
        self.check(Going([self.train, *words.split()], self.folder).end())
        with last.open("rb") as file:
            header = json.loads(file.read(*struct.unpack("<Q", file.read(8))))
        return json.loads(header["__metadata__"]["progress"])["step"]

    def wait_for_steps(self, run: str, steps: int) -> None:
        """Waits until a run has made so many steps."""
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            if (self.folder / run / "metrics.jsonl").exists() and len(self.lines(run, "step")) >= steps:
                return
            time.sleep(0.05)
        raise AssertionError(f"{run} made no {steps} steps")


def expect(is_so: bool, text: str) -> None:
    if not is_so:
        raise AssertionError(text)


def near(found: list[float], expected: list[float], relative: float, what: str) -> float:
    """Compares two series, and returns by how much they differ at most."""
    expect(len(found) == len(expected) > 0, f"{what}: {len(found)} values and {len(expected)}")
    off = max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))
    expect(off <= relative, f"{what} differ by {off:.2e}: {found} and {expected}")
    return off
