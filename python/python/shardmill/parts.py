"""The data of a loader: one dataset, or several with weights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from shardmill.augment import ColorJitter
from shardmill.dataset import Dataset
from shardmill.errors import SettingError
from shardmill.words import whole

__all__ = ["Data", "check_types", "datasets_of"]

#: What a loader is made of: a folder, a dataset, or several with whole weights.
Data: TypeAlias = "str | os.PathLike[str] | Dataset | Sequence[tuple[str | os.PathLike[str] | Dataset, int]]"


def check_types(split: object, color_jitter: object, transform: object, classes: object) -> None:
    """Values that would be noticed late or in words of another layer."""
    if split is not None and not isinstance(split, str):
        raise SettingError(f"split is {split!r}; give a name such as 'train'")
    if color_jitter is not None and not isinstance(color_jitter, ColorJitter):
        raise SettingError(f"color_jitter is {color_jitter!r}; give shardmill.ColorJitter(brightness=0.4, ...)")
    if transform is not None and not callable(transform):
        raise SettingError(f"transform is {transform!r}; give a function of (image, sample)")
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Iterable)):
        raise SettingError(f"classes is {classes!r}; give a list of labels, synsets or names")


def datasets_of(data: Any, split: str | None, classes: Sequence[int | str] | None) -> list[tuple[Dataset, int]]:
    """The datasets with their weights."""
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
            dataset = Dataset(dataset, "train" if split is None else split)
        elif split is not None and split != dataset.split:
            raise SettingError(
                f"split is {split!r}, but the dataset is of split {dataset.split!r}: leave split out, or open the "
                "other one"
            )
        if classes is not None:
            dataset = dataset.filter_classes(classes)
        parts.append((dataset, whole("a weight", weight, 1)))
    if not given:
        raise SettingError(
            f"data is {data!r}; give a folder of shards, a shardmill.Dataset, or a list of (folder or Dataset, "
            "whole weight)"
        )
    return parts
