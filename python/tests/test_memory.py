"""The memory of batches, and leaks in loops."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import shardmill


def test_a_kept_batch_is_never_overwritten(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, output="uint8", threads=2)
    kept, copies = [], []
    for number in range(6):
        for images, labels in loader:
            # An array, a view of it, a view of a view, and one through DLPack.
            one = [images, images[1:], images[2:, 0].T, np.from_dlpack(images)][number % 4]
            kept.append((one, labels))
            copies.append((one.copy(), labels.copy()))
            del images
    for (one, labels), (was, was_labels) in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(one, was)
        np.testing.assert_array_equal(labels, was_labels)


def test_memory_serves_again_once_everything_is_gone(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, threads=1, prefetch=1)

    def addresses(keep: bool) -> set[int]:
        held, found = [], set()
        for _ in range(4):
            for images, _ in loader:
                found.add(images.ctypes.data)
                if keep:
                    held.append(images[:1])
                del images
        return found

    # A thread's, the ready one's, the caller's, and those on their way back.
    assert len(addresses(keep=False)) <= 6
    assert len(addresses(keep=True)) == 4 * len(loader)


def test_writing_to_a_batch_changes_that_batch_alone(shards: Path) -> None:
    make = {"crop": 32, "batch_size": 10, "threads": 2, "output": "uint8"}
    clean = [images.copy() for images, _ in shardmill.Loader(shards, **make)]
    loader = shardmill.Loader(shards, **make)
    for epoch in range(3):
        loader.set_epoch(0)
        for (images, labels), expected in zip(loader, clean, strict=True):
            np.testing.assert_array_equal(images, expected, err_msg=f"pass {epoch}")
            assert images.flags.writeable
            images[:] = 255 - images
            labels[:] = -7


def _figures() -> tuple[int, int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return threading_count(), len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGESIZE")


def threading_count() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_loops_that_end_early_leave_nothing_behind(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, threads=2)

    def broken_off() -> None:
        for _ in loader:
            break

    def ended_by_an_exception() -> None:
        with pytest.raises(ZeroDivisionError):
            for _ in loader:
                _ = 1 / 0

    for _ in range(50):
        broken_off()
        ended_by_an_exception()
    threads, files, memory = _figures()
    for _ in range(1000):
        broken_off()
    for _ in range(200):
        ended_by_an_exception()
    now = _figures()
    assert now[:2] == (threads, files)
    # A loop that kept one batch would have kept 120 kB, or 147 MB in all.
    assert now[2] - memory < 32 << 20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_loaders_that_go_leave_nothing_behind(shards: Path) -> None:
    def one() -> None:
        loader = shardmill.Loader(shards, crop=32, batch_size=10, threads=2)
        iteration = iter(loader)
        next(iteration)
        loader.close()
        with pytest.raises(shardmill.ClosedError):
            next(iteration)

    for _ in range(20):
        one()
    threads, files, memory = _figures()
    for _ in range(200):
        one()
    now = _figures()
    assert now[:2] == (threads, files)
    assert now[2] - memory < 8 << 20


def test_a_loader_that_goes_before_its_batches_leaves_them(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10)
    batch = next(iter(loader))
    was = batch.images.copy()
    images = batch.images
    del loader, batch
    gc.collect()
    np.testing.assert_array_equal(images, was)
    assert threading.active_count() >= 1
