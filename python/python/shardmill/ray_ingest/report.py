"""Lines of progress of an ingest on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

__all__ = ["Report"]


class Report:
    """Counts what is finished and says so, a line now and then."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._images: Sequence[int] = ()
        self._shards_done = self._images_done = self._shards_before = 0
        self._nodes = 0
        self._start = self._last = time.monotonic()

    def listed(self, work: str, done: int, total: int | None) -> None:
        """Takes the progress of the listing."""
        if self.is_due(10.0):
            self._last = time.monotonic()
            self._say(f"{work}: {done:,}" + ("" if total is None else f" of {total:,}"))

    def begin(self, images: Sequence[int], finished_before: int, cpus: int, nodes: int) -> None:
        """The source is planned. ``images`` are those of each shard to make."""
        seconds = time.monotonic() - self._start
        self._images, self._shards_before, self._nodes = images, finished_before, nodes
        kept = f", {finished_before} finished before" if finished_before else ""
        self._say(
            f"planned in {seconds:.1f} s: {len(images)} shards of {sum(images):,} images to make{kept}; {cpus} CPUs a "
            f"shard, {_counted(nodes, 'node')}"
        )
        self._start = self._last = time.monotonic()

    def finished(self, number: int) -> None:
        """A shard is recorded."""
        self._shards_done += 1
        self._images_done += self._images[number]

    def seconds_to_line(self, every: float) -> float:
        """Seconds until the next line."""
        return max(0.05, every - (time.monotonic() - self._last))

    def is_due(self, every: float) -> bool:
        """Whether a line is due."""
        return time.monotonic() - self._last >= every

    def line(self, nodes: int) -> None:
        """Says how far the work is."""
        self._last = time.monotonic()
        if nodes < self._nodes:
            lost = _counted(self._nodes - nodes, "node")
            self._say(f"{lost} lost: Ray makes the shards that were made there again, on the others")
        self._nodes = nodes
        seconds = max(self._last - self._start, 1e-9)
        rate = self._images_done / seconds
        left = sum(self._images) - self._images_done
        to_go = f", {left / rate:,.0f} s to go" if rate and left else ""
        shards, images = len(self._images), sum(self._images)
        self._say(
            f"{self._shards_done} of {shards} shards, {self._images_done:,} of {images:,} images, {rate:,.0f} a second"
            f"{to_go}, {_counted(nodes, 'node')}"
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
