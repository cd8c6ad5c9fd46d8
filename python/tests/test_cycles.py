"""Loaders that are closed or collected in unusual places."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import shardmill


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a script; a deadlock ends in a timeout."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


CLOSED_IN_A_HANDLER = """
import signal, sys, time, shardmill
slow = lambda image, sample: time.sleep(0.02)
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=100, threads=int(sys.argv[2]), transform=slow)
signal.signal(signal.SIGALRM, lambda *_: loader.close())
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    next(iter(loader))
except shardmill.ClosedError:
    print("closed")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sets a timer's signal")
@pytest.mark.parametrize("threads", [0, 2])
def test_a_signal_handler_closes_the_loader_that_is_waited_for(shards: Path, threads: int) -> None:
    done = run(CLOSED_IN_A_HANDLER, shards, threads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


CLOSED_IN_THE_TRANSFORM = """
import sys, shardmill
def close(image, sample):
    loader.close()
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=20, threads=int(sys.argv[2]), transform=close)
try:
    for _ in loader:
        pass
except shardmill.ClosedError:
    print("closed")
"""


@pytest.mark.parametrize("threads", [0, 2])
def test_a_transform_closes_its_own_loader(shards: Path, threads: int) -> None:
    done = run(CLOSED_IN_THE_TRANSFORM, shards, threads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


COLLECTED_IN_THE_TRANSFORM = """
import gc, sys, shardmill
gc.disable()
def collect(image, sample):
    gc.collect()
class Holder:
    pass
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=20, threads=2, transform=collect)
holder = Holder()
holder.itself, holder.iteration = holder, iter(loader)
next(holder.iteration)
del holder
# The first iteration is collected in a thread of its own, or of the second.
print(sum(len(labels) for _, labels in loader))
"""


def test_an_iteration_is_collected_in_a_loaders_thread(shards: Path) -> None:
    done = run(COLLECTED_IN_THE_TRANSFORM, shards)
    assert (done.returncode, done.stdout, done.stderr) == (0, "131\n", "")


class Owner:
    """Has a loader whose transform is its own method."""

    def __init__(self, shards: Path, begin: bool) -> None:
        self.loader = shardmill.Loader(shards, crop=24, batch_size=20, threads=2, transform=self.transform)
        self.iteration = iter(self.loader) if begin else None
        if self.iteration is not None:
            next(self.iteration)

    def transform(self, image: np.ndarray, _: shardmill.Sample) -> None:
        image[:] = 0


@pytest.mark.parametrize("begin", [False, True])
def test_a_loader_whose_transform_leads_back_to_it_is_collected(shards: Path, begin: bool) -> None:
    owners = [Owner(shards, begin) for _ in range(5)]
    alive = [weakref.ref(owner) for owner in owners]
    loaders = [weakref.ref(owner.loader) for owner in owners]
    del owners
    # A thread that is in the transform holds its owner until it is through.
    deadline = time.monotonic() + 20
    while any(ref() is not None for ref in alive + loaders) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert [ref() for ref in alive + loaders] == [None] * 10
