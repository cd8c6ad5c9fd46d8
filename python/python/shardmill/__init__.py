"""Shardmill in Python: the loader, datasets, and the tools that make them.

>>> import shardmill
>>> loader = shardmill.Loader("shards", split="train", batch_size=256, augment="alexnet")  # doctest: +SKIP
>>> for images, labels in loader:  # doctest: +SKIP
...     ...
"""

from __future__ import annotations

import sysconfig

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise ImportError(
        "shardmill does not support free-threaded Python yet: use the ordinary build (python3.13, not python3.13t)"
    )

from shardmill import errors
from shardmill._core import BFloat16Array, __version__
from shardmill.augment import (
    Augment,
    CenterCrop,
    ColorJitter,
    FixedCrop,
    RandomCrop,
    RandomResizedCrop,
    Sample,
    TenViews,
    TwoViews,
)
from shardmill.batch import Batch, Replaced
from shardmill.dataset import Class, Dataset, Statistics
from shardmill.errors import *  # noqa: F403
from shardmill.loader import Loader
from shardmill.prepare import ingest, inspect, verify, write
from shardmill.settings import Blocks

__all__ = [
    "Augment",
    "BFloat16Array",
    "Batch",
    "Blocks",
    "CenterCrop",
    "Class",
    "ColorJitter",
    "Dataset",
    "FixedCrop",
    "Loader",
    "RandomCrop",
    "RandomResizedCrop",
    "Replaced",
    "Sample",
    "Statistics",
    "TenViews",
    "TwoViews",
    "__version__",
    "errors",
    "ingest",
    "inspect",
    "verify",
    "write",
    *errors.__all__,
]
