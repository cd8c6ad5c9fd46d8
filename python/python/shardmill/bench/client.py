"""The bench's side of what it measures: a worker process, or the program ``loader bench``."""

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
"""Seconds that one answer may take: writing a peer's data and compiling its code are in the first."""
LAST_LINES = 12
"""Lines of a crashed loader's standard error that are shown."""


class SkippedError(Exception):
    """A loader that is not installed, with the reason."""


class FailedError(Exception):
    """A loader that crashed, hung or did other work, with what is known of it."""


class Contestant(Protocol):
    """What takes turns in the rounds."""

    version: str

    def check(self) -> dict[str, Any] | None:
        """Does one epoch that is not timed; says what it held, if that can be known."""
        ...

    def round(self, seconds: float) -> Round:
        """A turn of at least that many seconds."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class Worker:
    """A loader in a process of its own, which is stopped while it is not its turn."""

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
        """Kills the process and what it started."""
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
        """To the whole group, which has the number of the process that leads it."""
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
    """The command that runs ``prep`` or ``loader`` of this very package."""
    return [sys.executable, "-m", "shardmill", name]


def run_program(command: Sequence[str]) -> str:
    """Runs a program to its end and gives its standard output; :class:`FailedError` if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise FailedError(f"{' '.join(command)}\nended with status {done.returncode}: {said}")
    return done.stdout


OUTPUTS = {"float32": "f32", "uint8": "u8"}
"""The names that ``loader bench`` has for types."""


class RustBench:
    """The Rust program on the same shards; its first pass is not counted, as everybody's."""

    def __init__(self, job: Job) -> None:
        work = job.what
        if work.crop != "fixed":
            raise SkippedError("`loader bench` has no random resized crop")
        command = program("loader")
        self.version = run_program([*command, "--version"]).strip()
        self.command = [
            *command,
            "bench",
            *("--shards", job.shards, "--split", job.split),
            *("--threads", str(job.threads), "--batch-size", str(job.batch_size)),
            *("--output", OUTPUTS[work.output], "--layout", work.layout),
            *("--crop", str(job.crop), "--json"),
        ]

    def check(self) -> dict[str, Any] | None:
        """Nothing: each turn is a process of its own with its own first pass."""
        return None

    def round(self, seconds: float) -> Round:
        """See :class:`Contestant`; at least three passes."""
        report = json.loads(run_program([*self.command, "--seconds", str(seconds)]))
        cpu = report["cpu_seconds_per_1000_images"]
        return Round(report["images_per_second"], float("nan") if cpu is None else cpu, report["passes"])

    def close(self) -> None:
        """Nothing to end."""
