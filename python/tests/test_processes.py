"""Threads, forks, Ctrl-C and the end of the interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import shardmill


def run(script: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def test_two_threads_at_once_are_told_apart(shards: Path) -> None:
    def slow(image: np.ndarray, _: shardmill.Sample) -> None:
        time.sleep(0.02)

    iteration = iter(shardmill.Loader(shards, crop=24, batch_size=40, threads=1, transform=slow))
    caught: list[Exception] = []

    def other() -> None:
        time.sleep(0.2)
        try:
            next(iteration)
        except shardmill.ShardmillError as error:
            caught.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    first = next(iteration)
    thread.join()
    assert len(first.labels) == 40
    assert [type(error) for error in caught] == [shardmill.ConcurrentUseError]
    assert "lock" in str(caught[0])
    # The iteration is as it was.
    assert sum(len(batch.labels) for batch in iteration) == 131 - 40


def test_other_threads_run_while_one_waits(shards: Path) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    def slow(image: np.ndarray, _: shardmill.Sample) -> None:
        time.sleep(0.01)

    thread = threading.Thread(target=count)
    thread.start()
    next(iter(shardmill.Loader(shards, crop=24, batch_size=30, threads=1, transform=slow)))
    done.set()
    thread.join()
    assert counted > 20


FORKED = """
import os, sys, shardmill
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=10)
iteration = iter(loader)
next(iteration)
dataset = shardmill.Dataset(sys.argv[1])
child = os.fork()
if child == 0:
    for use in (lambda: next(iteration), lambda: iter(loader)):
        for _ in range(2):
            try:
                use()
            except shardmill.ForkedError as error:
                assert "num_workers=0" in str(error), error
            else:
                os._exit(1)
    assert dataset[3][0].shape == (40, 40, 3)
    assert sum(len(labels) for _, labels in shardmill.Loader(sys.argv[1], crop=24)) == 131
    del iteration, loader
    sys.exit(0)
status = os.waitpid(child, 0)[1]
assert status == 0, status
assert sum(len(labels) for _, labels in iteration) == 121
print("both went on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_what_to_do(shards: Path) -> None:
    done = run(FORKED, shards)
    assert (done.returncode, done.stdout) == (0, "both went on\n"), done.stderr


INTERRUPTED = """
import sys, time, shardmill
slow = lambda image, sample: time.sleep(0.05)
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=100, threads=int(sys.argv[2]), transform=slow)
iteration = iter(loader)
print("waiting", flush=True)
try:
    next(iteration)
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
loader.close()
print("closed", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("threads", [0, 2])
def test_ctrl_c_ends_a_wait_at_once(shards: Path, threads: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(shards), str(threads)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        time.sleep(0.5)
        sent = time.time()
        child.send_signal(signal.SIGINT)
        word, when = child.stdout.readline().split()
        assert word == "interrupted"
        # A tenth of a second, and more for a machine that is busy; the batch takes more than two.
        assert float(when) - sent < 1
        assert child.stdout.readline() == "closed\n"
        assert child.wait(10) == 0


INTERRUPTED_AND_GOING_ON = """
import signal, sys, time, shardmill
slow = lambda image, sample: time.sleep(0.01)
make = dict(crop=24, batch_size=50, threads=int(sys.argv[2]))
expected = [batch.keys for batch in shardmill.Loader(sys.argv[1], **make)]
iteration = iter(shardmill.Loader(sys.argv[1], transform=slow, **make))

def alarm(*_):
    raise TimeoutError("mine")

signal.signal(signal.SIGALRM, alarm)
for kind, error in ((signal.SIGALRM, TimeoutError), (signal.SIGINT, KeyboardInterrupt)):
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    if kind == signal.SIGINT:
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        next(iteration)
    except error:
        continue
    raise SystemExit("nothing was interrupted")
assert [batch.keys for batch in iteration] == expected
print("the same batches")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sets a timer's signal")
@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupted_wait_may_be_taken_up_again(shards: Path, threads: int) -> None:
    done = run(INTERRUPTED_AND_GOING_ON, shards, threads)
    assert (done.returncode, done.stdout) == (0, "the same batches\n"), done.stderr


ENDING = """
import sys, threading, time, shardmill
slow = lambda image, sample: time.sleep(0.05)
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=100, threads=2, transform=slow)
def work():
    try:
        for _ in loader:
            pass
    except shardmill.ShardmillError as error:
        print(type(error).__name__, flush=True)
threading.Thread(target=work, daemon=True).start()
iteration = iter(shardmill.Loader(sys.argv[1], crop=24, batch_size=10, threads=2))
next(iteration)
time.sleep(0.3)
"""


def test_the_interpreter_ends_beside_running_loaders(shards: Path) -> None:
    for _ in range(5):
        began = time.monotonic()
        done = run(ENDING, shards)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout in ("ClosedError\n", "")
        assert time.monotonic() - began < 20


LATE = """
import atexit, sys, shardmill

def late():
    for use in (lambda: next(iter(loader)), lambda: next(iteration), lambda: dataset[0], lambda: dataset.labels):
        try:
            use()
        except shardmill.ClosedError:
            print("closed", flush=True)

class Reader:
    def __del__(self):
        late()

loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=10, threads=2)
dataset = shardmill.Dataset(sys.argv[1])
iteration = iter(loader)
next(iteration)
reader = Reader()
reader.itself = reader
"""


def test_reading_after_the_interpreter_began_to_end_is_an_error(shards: Path) -> None:
    done = run(LATE, shards)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "closed\n" * 4
    early = run(
        "import atexit\natexit.register(lambda: late())\n" + LATE.replace("reader.itself", "reader.other"), shards
    )
    assert (early.returncode, early.stderr) == (0, "")
    assert set(early.stdout.splitlines()) == {"closed"}


FORKS = """
import os, sys, time, shardmill
busy = lambda image, sample: None
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=5, threads=3, transform=busy)
for turn in range(120):
    for batch in loader:
        break
    iteration = iter(loader)
    for _ in range(3):
        next(iteration)
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
print("every child came back")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_beside_threads_that_call_a_transform_do_not_hang(shards: Path) -> None:
    done = run(FORKS, shards)
    assert (done.returncode, done.stdout) == (0, "every child came back\n"), done.stderr
