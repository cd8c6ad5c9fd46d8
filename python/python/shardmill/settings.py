"""Checks and completes a loader's settings, and puts them into the form that the compiled part takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shardmill.augment import Augment
from shardmill.dataset import Dataset
from shardmill.errors import SettingError
from shardmill.ranks import local_processes
from shardmill.words import choose, number, short, whole

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "Advice",
    "Blocks",
    "Framework",
    "LastBatch",
    "Layout",
    "Normalize",
    "OnBadRecord",
    "Output",
    "Verify",
    "mean_and_std",
    "order_text",
    "usual_threads",
]

Normalize: TypeAlias = "Literal['imagenet', 'dataset'] | Sequence[Sequence[float] | npt.NDArray[Any]] | None"
Output: TypeAlias = Literal["float32", "float16", "bfloat16", "uint8"]
Layout: TypeAlias = Literal["nchw", "nhwc"]
LastBatch: TypeAlias = Literal["keep", "drop", "pad"]
Verify: TypeAlias = Literal["first-read", "never"]
OnBadRecord: TypeAlias = Literal["stop", "replace"]
Advice: TypeAlias = Literal["auto", "always", "never"]
Framework: TypeAlias = Literal["numpy", "torch", "jax"]

#: Mean and standard deviation that most networks trained on ImageNet use, on the 0-255 scale.
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_MOST_THREADS = 8
#: A mean or standard deviation of bytes beyond this is a mistake.
_LARGEST = 1e6


@dataclass(frozen=True)
class Blocks:
    """An order that reads long runs: blocks of consecutive samples in random order, shuffled together in groups."""

    block: int = 32
    """Samples in a block."""
    interleave: int = 32
    """Blocks in a group."""


def usual_threads() -> int:
    """The default number of threads: the processors available to this process, divided among the processes of this
    run on this machine; at most eight."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, min(processors // local_processes(), _MOST_THREADS))


def mean_and_std(given: Normalize, dataset: Dataset) -> tuple[list[float], list[float]]:
    """The mean and the standard deviation to normalise by, on the 0-255 scale."""
    if given is None:
        return [0.0] * 3, [1.0] * 3
    if isinstance(given, str):
        if choose("normalize", given, ("imagenet", "dataset"), "(mean, std) on the 0-255 scale, or None") == "imagenet":
            return list(_IMAGENET[0]), list(_IMAGENET[1])
        statistics = dataset.statistics
        if statistics is None:
            raise SettingError(
                'normalize is "dataset", but the manifest has no colour statistics, since the dataset has no training '
                'split: use "imagenet", or give (mean, std)'
            )
        return list(statistics.mean), list(statistics.std)
    try:
        mean, std = ([number("normalize", value) for value in part] for part in given)
    except (TypeError, ValueError):
        mean, std = [], []
    if any(value <= 0 for value in std) or any(abs(value) > _LARGEST for value in mean + std):
        raise SettingError(f"normalize is {short(given)}; std must be above 0, and both must be on the 0-255 scale")
    if len(mean) != 3 or len(std) != 3:
        raise SettingError(
            f'normalize is {short(given)}; give "imagenet", "dataset", or (mean, std) with three numbers each, on the '
            "0-255 scale"
        )
    if all(0 < value <= 1 for value in mean) and all(0 < value <= 1 for value in std):
        raise SettingError(
            f"normalize is {short(given)}, which looks like the 0-1 scale; records are bytes, so multiply both by 255"
        )
    return mean, std


def order_text(given: str | Blocks | None, augment: Augment, split: str) -> str:
    """The order as the programs write it; by default shuffled if the split is ``train`` and is augmented at random,
    otherwise that of the shards."""
    if given is None:
        return "global" if split == "train" and augment.random else "sequential"
    if isinstance(given, Blocks):
        return f"blocks:{whole('block', given.block, 1)}x{whole('interleave', given.interleave, 1)}"
    if isinstance(given, str) and ":" in given:
        # The compiled part reads the numbers.
        return given
    other = 'one with numbers, such as "shards:4", or Blocks(block, interleave)'
    return choose("order", given, ("global", "blocks", "shards", "sequential"), other)
