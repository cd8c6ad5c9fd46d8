"""The benchmark's handle on what it measures: a worker process, or the program ``loader bench``."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, Protocol

from .stats import Pass, Round, of_passes
from .work import Job

PATIENCE = 900.0
"""Seconds that one answer may take; the first includes writing a peer's data and compiling its code."""
LAST_LINES = 12
"""Lines of a crashed loader's standard error to show."""


class SkippedError(Exception):
    """A loader is not installed; the text gives the reason."""


class FailedError(Exception):
    """A loader crashed, hung or did different work; the text gives the details."""


class Contestant(Protocol):
    """Something that takes turns in the rounds."""

    version: str

    def check(self) -> dict[str, Any] | None:
        """Runs one untimed epoch; describes its content, if that can be known."""
        ...

    def round(self, seconds: float) -> Round:
        """Runs a turn of at least this many seconds."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class Worker:
    """A loader in its own process, which is suspended between its turns."""

    def __init__(self, job: Job, python: str = sys.executable, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self.process = subprocess.Popen(
            [python, "-m", f"{__package__}.worker", job.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        try:
            first = self._answer()
        except BaseException:
            self.close()
            raise
        if "skipped" in first:
            self.close()
            raise SkippedError(first["skipped"])
        self.version: str = first["version"]
        self._signal(signal.SIGSTOP)

    def check(self) -> dict[str, Any] | None:
        """See :class:`Contestant`."""
        return self._ask({"do": "check"})

    def round(self, seconds: float) -> Round:
        """See :class:`Contestant`."""
        found = self._ask({"do": "round", "seconds": seconds})["passes"]
        try:
            return of_passes([Pass(**one) for one in found])
        except ValueError as error:
            raise FailedError(str(error)) from error

    def close(self) -> None:
        """Kills the process and its children."""
        self._signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.errors.close()

    def _signal(self, number: int) -> None:
        """Signals the whole process group, whose number is that of its leader."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.process.pid) == self.process.pid:
                os.killpg(self.process.pid, number)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._signal(signal.SIGCONT)
        try:
            assert self.process.stdin
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise FailedError(self._ending()) from error
        message = self._answer()
        self._signal(signal.SIGSTOP)
        return message

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = b""
        end = time.monotonic() + self.patience
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(0.0, left))[0]
            if not ready:
                raise FailedError(f"no answer within {self.patience:.0f} s\n{self._said()}".strip())
            some = os.read(self.process.stdout.fileno(), 65536)
            if not some:
                raise FailedError(self._ending())
            line += some
        message: dict[str, Any] = json.loads(line)
        return message

    def _ending(self) -> str:
        code = self.process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        return f"ended with {how}\n{self._said()}".strip()

    def _said(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])


def program(name: str) -> list[str]:
    """The command that runs this package's own ``prep`` or ``loader``."""
    return [sys.executable, "-m", "shardmill", name]


def run_program(command: Sequence[str]) -> str:
    """Runs a program and returns its standard output; raises :class:`FailedError` if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise FailedError(f"{' '.join(command)}\nended with status {done.returncode}: {said}")
    return done.stdout


OUTPUTS = {"float32": "f32", "uint8": "u8"}
"""The names of the types in ``loader bench``."""
POLICIES = {"fixed": "train", "resized": "random-resized-crop"}
"""The names of the crops in ``loader bench``."""


class RustBench:
    """The Rust program on the same shards; as for all loaders, its first pass is not counted."""

    def __init__(self, job: Job) -> None:
        work = job.what
        command = program("loader")
        self.version = run_program([*command, "--version"]).strip()
        self.command = [
            *command,
            "bench",
            *("--shards", job.shards, "--split", job.split),
            *("--threads", str(job.threads), "--batch-size", str(job.batch_size)),
            *("--policy", POLICIES[work.crop]),
            *("--output", OUTPUTS[work.output], "--layout", work.layout),
            *("--crop", str(job.crop), "--json"),
        ]

    def check(self) -> dict[str, Any] | None:
        """Does nothing: each turn is a new process with its own first pass."""
        return None

    def round(self, seconds: float) -> Round:
        """See :class:`Contestant`; makes at least three passes."""
        report = json.loads(run_program([*self.command, "--seconds", str(seconds)]))
        cpu = report["cpu_seconds_per_1000_images"]
        return Round(report["images_per_second"], float("nan") if cpu is None else cpu, report["passes"])

    def close(self) -> None:
        """Does nothing."""
