"""Shared by the loaders based on torch's ``DataLoader``: torchvision's transforms, and the epoch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from shardmill.bench.work import AREA, ASPECT, MEAN, STD, Job, Work


def leaves_out(work: Work) -> str:
    """Names what torchvision has no transform for."""
    return "PCA colour" if work.color else ""


def transform(job: Job) -> Callable[[Any], Any]:
    """A function from a uint8 tensor ``[3, height, width]`` to the work's image, with torchvision's transforms v2."""
    torch: Any = importlib.import_module("torch")
    v2: Any = importlib.import_module("torchvision.transforms.v2")
    work = job.what
    if work.crop == "fixed":
        crop = v2.RandomCrop(job.crop)
    else:
        crop = v2.RandomResizedCrop(job.crop, scale=AREA, ratio=ASPECT, antialias=True)
    steps = [crop, v2.RandomHorizontalFlip()]
    if work.output == "float32":
        steps += [v2.ToDtype(torch.float32, scale=False), v2.Normalize(MEAN, STD, inplace=True)]
    composed = v2.Compose(steps)
    if work.layout == "nchw":
        return composed  # type: ignore[no-any-return]

    def channels_last(image: Any) -> Any:
        return composed(image).permute(1, 2, 0)

    return channels_last


def decode(encoded: Any) -> Any:
    """Decodes a JPEG's bytes, a uint8 array, to a tensor ``[3, height, width]``, with torchvision's decoder."""
    torch: Any = importlib.import_module("torch")
    io: Any = importlib.import_module("torchvision.io")
    return io.decode_jpeg(torch.from_numpy(encoded), mode=io.ImageReadMode.RGB)


class DataLoaderFeed:
    """Epochs of a ``DataLoader`` or of anything that iterates like one."""

    repeats = 1

    def __init__(self, version: str, loader: Any) -> None:
        self.version = version
        self.loader = loader

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """One pass."""
        yield from self.loader


def versions(*names: str) -> str:
    """Names and versions of imported packages."""
    found = []
    for name in names:
        package: Any = importlib.import_module(name)
        found.append(f"{name} {package.__version__}")
    return ", ".join(found)


def data_loader(dataset: Any, job: Job, **options: Any) -> Any:
    """A ``DataLoader`` with as many persistent worker processes as the job has threads."""
    data: Any = importlib.import_module("torch.utils.data")
    return data.DataLoader(dataset, num_workers=job.threads, persistent_workers=job.threads > 0, **options)
