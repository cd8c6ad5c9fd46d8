"""The data of a loader: one dataset, or several with weights."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from shardmill.augment import ColorJitter
from shardmill.dataset import Dataset
from shardmill.errors import SettingError
from shardmill.words import short, whole

__all__ = ["Data", "check_types", "datasets_of", "unknown_arguments"]

#: The data of a loader: a folder or an address, a dataset, or several with integer weights.
Data: TypeAlias = "str | os.PathLike[str] | Dataset | Sequence[tuple[str | os.PathLike[str] | Dataset, int]]"


#: Arguments of other loaders, and their equivalents here.
_ELSEWHERE = {
    "shuffle": 'order="global" shuffles, and order="sequential" does not',
    "num_workers": "the loader has its own threads: threads=",
    "workers": "the loader has its own threads: threads=",
    "drop_last": 'last_batch="drop"',
    "pin_memory": 'device="cuda" uses pinned memory',
    "prefetch_factor": "prefetch=",
    "persistent_workers": "the loader's threads need no such setting: omit it",
    "collate_fn": "the loader makes whole batches: omit it, and use transform= or change the batch",
    "sampler": "order= sets the order, and Dataset.select the samples",
    "batch_sampler": "order= sets the order, and Dataset.select the samples",
    "dtype": "output=",
    "normalise": "normalize=",
    "mean": "normalize=(mean, std)",
    "std": "normalize=(mean, std)",
    "image_size": "crop=",
    "size": "crop=",
    "distributed": "ranks are detected, or set with rank= and world_size=",
    "num_replicas": "world_size=",
    "drop_remainder": 'last_batch="drop"',
    "device_id": 'device="cuda:0"',
    "transforms": "transform=",
}


def unknown_arguments(init: Callable[..., None], given: Iterable[str]) -> None:
    """Rejects arguments that the loader does not have, and suggests those that it has.

    Raises:
        TypeError: An argument does not exist.

    """
    known = [name for name in inspect.signature(init).parameters if name != "self"]
    for name in given:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = _ELSEWHERE.get(name) or (f"did you mean {near[0]}?" if near else "the arguments are " + ", ".join(known))
        raise TypeError(f"Loader() got an unexpected keyword argument {name!r}: {hint}")


def check_types(split: object, color_jitter: object, transform: object, classes: object) -> None:
    """Checks values that would otherwise fail late, or with the message of another layer."""
    if split is not None and not isinstance(split, str):
        raise SettingError(f"split is {short(split)}; give a name such as 'train'")
    if color_jitter is not None and not isinstance(color_jitter, ColorJitter):
        raise SettingError(f"color_jitter is {short(color_jitter)}; give shardmill.ColorJitter(brightness=0.4, ...)")
    if transform is not None and not callable(transform):
        raise SettingError(f"transform is {short(transform)}; give a function of (image, sample)")
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Iterable)):
        raise SettingError(f"classes is {short(classes)}; give a list of labels, synsets or names")


def datasets_of(
    data: Any, split: str | None, classes: Sequence[int | str] | None, **cache: Any
) -> list[tuple[Dataset, int]]:
    """The datasets with their weights; ``cache`` is for those that are opened here."""
    opened = 0
    given: list[Any] = [(data, 1)] if isinstance(data, str | os.PathLike | Dataset) else []
    if not given:
        try:
            given = list(data)
        except TypeError:
            given = []
    parts = []
    for one in given:
        if not isinstance(one, tuple) or len(one) != 2:
            given = []
            break
        dataset, weight = one
        if not isinstance(dataset, Dataset):
            if not isinstance(dataset, str | os.PathLike):
                given = []
                break
            dataset = Dataset(dataset, "train" if split is None else split, **cache)
            opened += 1
        elif split is not None and split != dataset.split:
            raise SettingError(
                f"split is {split!r}, but the dataset has split {dataset.split!r}: omit split, or open the dataset "
                "with the other split"
            )
        if classes is not None:
            dataset = dataset.filter_classes(classes)
        parts.append((dataset, whole("a weight", weight, 1, 65_536)))
    if not given:
        raise SettingError(
            f"data is {short(data)}; give a folder of shards or its address, a shardmill.Dataset, or a list of (folder "
            "or Dataset, integer weight)"
        )
    for name, value in cache.items():
        if value is not None and not opened:
            raise SettingError(f"{name} is {short(value)}, but the Dataset has been opened: give {name} to it")
    return parts
