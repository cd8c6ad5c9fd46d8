"""The measured process: opens one loader and reads epochs from it on request.

``python -m shardmill.bench.worker JOB`` takes the job as JSON.  Each line on its standard input is a
request, and each line on its original standard output an answer, both in JSON; anything that the loader
prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .peers import Feed, module
from .work import Job

SAMPLE = 61
"""One in this many values enters mean and standard deviation; a prime, so that all columns and channels do."""


def processor_seconds() -> float:
    """User and system time of this process, its threads and its children, whether they have ended or not."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    tick = os.sysconf("SC_CLK_TCK")
    return total + sum(_ticks(child) for child in _descendants(os.getpid())) / tick


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:15])


def _descendants(root: int) -> list[int]:
    """All descendants of process ``root``; none on systems without /proc."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and (fields := _fields(int(name))):
                children.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def check(feed: Feed) -> dict[str, Any]:
    """Reads an untimed epoch and describes its content."""
    images = 0
    sizes: dict[int, int] | None = {}
    sums = np.zeros(3)
    shape: list[int] = []
    dtypes: set[str] = set()
    shapes: set[tuple[int, ...]] = set()
    for pixels, labels in feed.epoch():
        values = np.asarray(pixels)
        images += len(values)
        shapes.add(values.shape[1:])
        shape = list(values.shape[1:])
        dtypes.add(str(values.dtype))
        some = values.reshape(-1)[::SAMPLE].astype(np.float64)
        sums += (some.size, some.sum(), (some**2).sum())
        if labels is None or sizes is None:
            sizes = None
        else:
            for label in np.asarray(labels).reshape(-1).tolist():
                sizes[label] = sizes.get(label, 0) + 1
    if len(shapes) > 1 or len(dtypes) > 1:
        raise ValueError(f"batches of several shapes or types: {sorted(shapes)}, {sorted(dtypes)}")
    counts = [images, *(sizes or {}).values()]
    if any(count % feed.repeats for count in counts):
        raise ValueError(f"an epoch of {images} images does not hold each image {feed.repeats} times")
    mean = sums[1] / max(sums[0], 1)
    return {
        "images": images // feed.repeats,
        "shape": shape,
        "dtype": "".join(dtypes),
        "mean": mean,
        "deviation": max(0.0, sums[2] / max(sums[0], 1) - mean**2) ** 0.5,
        "class_sizes": None if sizes is None else sorted(n // feed.repeats for n in sizes.values()),
    }


def look(pixels: Any) -> None:
    """Reads one value. Indexing a torch tensor takes 13 microseconds, but only one through numpy."""
    float((pixels.numpy() if hasattr(pixels, "numpy") else pixels)[0, 0, 0, 0])


def passes(feed: Feed, seconds: float) -> list[dict[str, float]]:
    """Runs whole epochs, including the start of each, until ``seconds`` have passed; at least one."""
    found: list[dict[str, float]] = []
    spent = 0.0
    while spent < seconds:
        images = 0
        cpu, start = processor_seconds(), time.perf_counter()
        for pixels, _ in feed.epoch():
            images += len(pixels)
            look(pixels)
        took = time.perf_counter() - start
        used = processor_seconds() - cpu
        found.append({"images": images, "seconds": took, "cpu_seconds": used})
        spent += took
    return found


def answer(feed: Feed, request: dict[str, Any]) -> dict[str, Any]:
    """Answers a request."""
    if request["do"] == "check":
        return check(feed)
    return {"passes": passes(feed, request["seconds"])}


def serve(job: Job, requests: Iterator[str], answers: TextIO) -> None:
    """Opens the loader, then answers requests until they end."""

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        feed = module(job.loader).open_feed(job)
    except ImportError as error:
        say({"skipped": f"{type(error).__name__}: {error}"})
        return
    say({"version": feed.version})
    for line in requests:
        say(answer(feed, json.loads(line)))


def main() -> None:
    """Runs the process; an exception in a loader ends it with a traceback on standard error."""
    # A process group of its own, so that all of it can be suspended; it ends with the benchmark.
    os.setpgid(0, 0)
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(Job.from_json(sys.argv[1]), iter(sys.stdin), answers)
    answers.close()
    # Some loaders wait for their own threads forever.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
