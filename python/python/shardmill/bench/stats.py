"""Medians, spreads and ratios of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Pass:
    """One epoch: images returned, wall-clock seconds, CPU seconds of all threads."""

    images: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Round:
    """The result of one turn of a loader."""

    images_per_second: float
    """Median over its passes, as in ``loader bench``."""
    cpu_seconds_per_1000: float
    passes: int


@dataclass(frozen=True)
class Summary:
    """Median, least and largest of a set of values."""

    median: float
    least: float
    largest: float


def of_passes(passes: Sequence[Pass]) -> Round:
    """Combines passes into a round.  Raises ``ValueError`` if there are none or one is empty."""
    if not passes or any(one.images <= 0 or one.seconds <= 0 for one in passes):
        raise ValueError("a round without images")
    images = sum(one.images for one in passes)
    cpu = sum(one.cpu_seconds for one in passes)
    rate = median(one.images / one.seconds for one in passes)
    return Round(rate, 1000 * cpu / images, len(passes))


def summary(values: Sequence[float]) -> Summary:
    """Summarises at least one value."""
    return Summary(median(values), min(values), max(values))


def ratios(ours: Sequence[Round], other: Sequence[Round]) -> Summary:
    """The ratio of our images per second to the other's, pair by pair.

    Round i of ours ran directly before round i of the other, so anything that slows the machine for a
    while slows both rounds of a pair.
    """
    if len(ours) != len(other):
        raise ValueError(f"{len(ours)} rounds against {len(other)}")
    pairs = zip(ours, other, strict=True)
    return summary([a.images_per_second / b.images_per_second for a, b in pairs])
