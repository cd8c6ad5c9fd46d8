"""What a task does on its machine. Imported on every node."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from shardmill import _core
from shardmill.errors import ShardmillError

__all__ = ["Finished", "Order", "Refused", "make_shard"]

#: Least memory for large images, in bytes; the whole of it is only taken for such images.
_LEAST_MEMORY = 64 << 20


@dataclass(frozen=True)
class Order:
    """What is made: the same for every shard."""

    source: str
    out: str
    make: dict[str, Any]
    args: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A shard that was made, as the driver records it."""

    line: str
    node: str
    seconds: float


@dataclass(frozen=True)
class Refused:
    """A shard that could not be made. Trying again would not help."""

    text: str
    node: str


def make_shard(order: Order, plan: bytes, task: bytes, name: str) -> Finished | Refused:
    """Makes a shard in this process, so that its end is the end of the work. ``name`` is for the log."""
    start, node = time.monotonic(), socket.gethostname()
    make = dict(order.make)
    if make["decode_memory"] is None:
        make["decode_memory"] = _decode_memory(make["threads"])
    try:
        line = _core.make_shard(order.source, order.out, make, order.args, plan, task, None)
    except ShardmillError as error:
        return Refused(str(error), node)
    seconds = time.monotonic() - start
    # Into Ray's log of this worker, which Ray also shows beside the driver's lines.
    print(f"{name}: made in {seconds:.1f} s", flush=True)
    return Finished(line, node, seconds)


def _decode_memory(threads: int) -> int:
    """A quarter of the free memory, as one process takes it, divided by the tasks that this machine has room for."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _LEAST_MEMORY
    tasks = max(1, (os.cpu_count() or 1) // max(1, threads))
    return max(_LEAST_MEMORY, free // 4 // tasks)
