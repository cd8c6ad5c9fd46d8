"""One trial: a program reads a dataset through the proxy while one thing goes wrong, and what became of it in words.

Used by peers.py and harness.py. Everything has a time limit.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

import proxy

# Shards, and no list, manifest or index.
DATA = r"^/[^?]*\.(safetensors|mds|bin)(\?|$)"
METADATA = r"^/[^?]*\.json(\?|$)"


@dataclasses.dataclass
class Scenario:
    """Settings of the proxy from the start, and commands to it when a tenth of the dataset has been sent. `expected`
    is what a correct program does: `right` bytes, or an `error`, for which it may take so many `seconds`."""

    settings: dict
    later: dict = dataclasses.field(default_factory=dict)
    expected: str = "right"
    seconds: float = 0


SCENARIOS = {
    "no fault": Scenario({}),
    "50 ms, 200 MB/s": Scenario({"delay_ms": 50, "bytes_per_second": 200e6}),
    "cut": Scenario({"match": DATA, "cut": "every=4"}),
    "truncated": Scenario({"match": DATA, "truncate": "every=4"}),
    "always truncated": Scenario({"match": DATA, "truncate": "always"}, expected="error"),
    "flipped once": Scenario({"match": DATA, "flip": "first"}),
    "always flipped": Scenario({"match": DATA, "flip": "always"}, expected="error"),
    "metadata flipped": Scenario({"match": METADATA, "flip": "always"}, expected="error"),
    "stalled once": Scenario({"match": DATA, "stall": "times=1"}),
    # A part of 16 MiB comes by halves, each of which a client may wait for: 20 seconds eight times, and a minute.
    "always stalled": Scenario({"match": DATA, "stall": "always"}, expected="error", seconds=240),
    "refused, 2 s": Scenario({}, {"refuse": 2}),
    "503, 2 s": Scenario({}, {"set": {"status": "code=503,for=2"}}),
    "500, every third": Scenario({"match": DATA, "status": "code=500,every=3"}),
    "always 500": Scenario({"match": DATA, "status": "code=500"}, expected="error"),
    "ranges ignored": Scenario({"match": DATA, "whole": "always"}),
}


@dataclasses.dataclass
class Outcome:
    """What a program did. `kind` is right, wrong, error or hang."""

    kind: str
    words: str
    epochs: list[dict]
    counts: dict
    seconds: float
    cache: int

    def rate(self, epoch: int) -> str:
        if self.kind != "right" or epoch >= len(self.epochs) or not self.epochs[epoch].get("seconds"):
            return ""
        return f"{self.epochs[epoch]['images'] / self.epochs[epoch]['seconds']:,.0f}"


def size_of(folder: pathlib.Path) -> int:
    """Bytes of the disk that the files below a folder take. Files may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


class Watch(threading.Thread):
    """Measures the cache while a program runs, and sends the scenario's later command."""

    def __init__(self, folder: pathlib.Path, between: proxy.Running, later: dict, threshold: float):
        super().__init__(daemon=True)
        self.folder, self.between, self.later, self.threshold = folder, between, later, threshold
        self.most = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.most = max(self.most, size_of(self.folder))
            if self.later and self.between.command()["bytes_down"] > self.threshold:
                self.between.command(**self.later)
                self.later = {}

    def stop(self) -> int:
        self.ended.set()
        self.join()
        return max(self.most, size_of(self.folder))


def run_program(command: list, settings: dict, limit: float) -> tuple[int | None, str, str]:
    """Exit code (None after `limit` seconds), stdout and stderr. What it started ends with it."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        errors.seek(0)
        return code, output.read(), errors.read()


def last_line(text: str) -> str:
    """The line of an output that most likely says what went wrong: the last that begins with an error's name, or the
    last with words. Warnings about what a killed worker left behind come later."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w\w", line)]
    named = [line for line in lines if re.match(r"([\w.]*(Error|Exception)|error)\b", line)]
    said = named or [line for line in lines if "warn" not in line.lower()] or lines or ["no message"]
    return said[-1][:200]


def json_epochs(output: str) -> list[dict]:
    """The epochs of a program that prints a line of JSON for each: {"images", "seconds"}, with "wrong" and "missing"
    if it compares."""
    epochs = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and "images" in found:
                epochs.append(found)
    return epochs


def judge(code: int | None, errors: str, output: str, limit: float, images: int, epochs: list[dict]) -> tuple[str, str]:
    """The outcome in a word and in words."""
    if code is None:
        said = f", after: {last_line(errors)}" if errors.strip() else ""
        return "hang", f"no end within {limit:.0f} s{said}"
    if code != 0:
        return "error", last_line(errors or output)
    if not epochs or any(epoch["images"] < images for epoch in epochs):
        return "wrong", f"no error, and {[epoch['images'] for epoch in epochs]} of {images} images"
    wrong = sum(epoch.get("wrong", 0) for epoch in epochs)
    missing = sum(epoch.get("missing", 0) for epoch in epochs)
    if wrong or missing:
        return "wrong", f"{wrong} wrong images, {missing} missing"
    return "right", "right bytes"


def run(
    command: list,
    settings: dict,
    cache: pathlib.Path,
    between: proxy.Running,
    scenario: Scenario,
    size: int,
    images: int,
    limit: float,
    read_epochs: Callable[[str], list[dict]] = json_epochs,
) -> Outcome:
    """Runs a program under a scenario. `size` is the dataset's in bytes."""
    cache.mkdir(parents=True, exist_ok=True)
    nothing = dict.fromkeys(proxy.FAULTS) | {"delay_ms": 0, "bytes_per_second": 0, "match": "", "seed": 0}
    # An outage of the trial before may not be over.
    between.command(refuse=0)
    between.command(set=nothing | scenario.settings, clear=True)
    watch = Watch(cache, between, scenario.later, size / 10)
    watch.start()
    started = time.monotonic()
    limit = max(limit, scenario.seconds)
    code, output, errors = run_program(command, settings, limit)
    seconds = time.monotonic() - started
    most = watch.stop()
    counts = between.command(set=nothing)
    epochs = read_epochs(output)
    kind, words = judge(code, errors, output, limit, images, epochs)
    if scenario.later and watch.later:
        words += " (the fault did not come: the program had read too little)"
    return Outcome(kind, words, epochs, counts, seconds, most)


COLUMNS = (
    "program",
    "scenario",
    "outcome",
    "images/s",
    "again",
    "s",
    "requests",
    "fetched",
    "cache",
    "faults",
    "in words",
)


def row(program: str, scenario: str, outcome: Outcome, size: int) -> str:
    """A line of the table. What was fetched and cached is in parts of the dataset's size."""
    faults = ", ".join(f"{name} {count}" for name, count in outcome.counts["faults"].items())
    cells = [
        program,
        scenario,
        outcome.kind,
        outcome.rate(0),
        outcome.rate(1),
        f"{outcome.seconds:.1f}",
        str(outcome.counts["requests"]),
        f"{outcome.counts['bytes_down'] / size:.2f}",
        f"{outcome.cache / size:.2f}",
        faults,
        outcome.words.replace("|", "/"),
    ]
    return "| " + " | ".join(cells) + " |"


def heading() -> str:
    return "| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS)


def fault_settings(endpoint: str, settings: dict) -> dict:
    """The environment of a program that shall go through the proxy at `endpoint`."""
    url = f"http://{endpoint}"
    return os.environ | settings | {name: url for name in settings if "ENDPOINT" in name}
