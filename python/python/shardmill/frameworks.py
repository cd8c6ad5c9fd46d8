"""Batches as arrays of other packages, over the same memory."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from shardmill import _core
from shardmill.errors import SettingError
from shardmill.words import choose

__all__ = ["Convert", "check_worker", "converter", "tell_torch"]

Convert: TypeAlias = Callable[[Any], Any]

_PACKAGES = {"numpy": "numpy", "torch": "torch", "jax": "jax.dlpack"}


def converter(framework: str) -> Convert:
    """A function that converts the loader's arrays to the framework's, without a copy."""
    name = choose("framework", framework, _PACKAGES)
    try:
        package = importlib.import_module(_PACKAGES[name])
    except ImportError as error:
        raise SettingError(
            f"framework is {name!r}, but it cannot be imported ({error}): install it, or omit framework"
        ) from error
    if name == "torch":
        return _to_torch(package)
    if name == "jax":
        return _to_jax(package)
    return lambda array: array


def _to_torch(torch: Any) -> Convert:
    def convert(array: Any) -> Any:
        if isinstance(array, _core.BFloat16Array):
            # Through a signed type, since older versions of torch lack uint16.
            return torch.from_numpy(array.bits.view(np.int16)).view(torch.bfloat16)
        if array.dtype == np.uint64:
            return torch.from_numpy(array.view(np.int64))
        return torch.from_numpy(array)

    return convert


def _to_jax(dlpack: Any) -> Convert:
    convert: Convert = dlpack.from_dlpack
    return convert


def check_worker(rank: int | None) -> None:
    """Refuses a loader in a worker process of torch's ``DataLoader``, where each worker would give the whole epoch."""
    torch = sys.modules.get("torch.utils.data")
    worker = torch.get_worker_info() if torch is not None else None
    if worker is not None and rank is None:
        raise SettingError(
            f"this Loader is made in worker {worker.id} of {worker.num_workers} of torch's DataLoader, and each "
            "worker would give the whole epoch: use num_workers=0, since the loader has its own threads; or give "
            "rank= and world_size="
        )


def tell_torch(loader: type[Any]) -> None:
    """Registers the loader as an iterable dataset, if torch was imported: ``DataLoader(loader, batch_size=None)``
    would treat anything else as a dataset of single samples."""
    torch = sys.modules.get("torch.utils.data")
    if torch is not None:
        torch.IterableDataset.register(loader)
