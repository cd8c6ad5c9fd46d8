"""torchvision: a map-style dataset, transforms v2 and torch's ``DataLoader``.

It reads raw records from the mapped shards, and JPEG files from class folders with torchvision's own
decoder.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from shardmill.bench.records import Records
from shardmill.bench.work import Job

from . import form
from ._torch import DataLoaderFeed, data_loader, decode, leaves_out, transform, versions

__all__ = ["PIP", "leaves_out", "open_feed", "write_folders"]

PIP = "pip install torch torchvision"


def write_folders(job: Job) -> Path:
    """Writes the JPEGs as files, ``LABEL/INDEX.jpg``."""

    def write(folder: Path) -> None:
        records = Records(job.shards, job.split)
        for i in range(len(records)):
            place = folder / f"{records.labels[i]:06d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{i:08d}.jpg").write_bytes(records.stored(i).tobytes())

    return form(Path(job.forms) / "folders", write)


class RawImages:
    """A map-style dataset over the mapped shards."""

    def __init__(self, job: Job) -> None:
        torch: Any = importlib.import_module("torch")
        self.from_numpy = torch.from_numpy
        self.records = Records(job.shards, job.split)
        self.transform = transform(job)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        pixels = self.from_numpy(np.array(self.records.pixels(index)))
        return self.transform(pixels.permute(2, 0, 1)), int(self.records.labels[index])


class FileImages:
    """A map-style dataset over class folders."""

    def __init__(self, job: Job) -> None:
        self.files = sorted(str(path) for path in write_folders(job).glob("*/*.jpg"))
        self.labels = [int(Path(path).parent.name) for path in self.files]
        self.transform = transform(job)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        pixels = decode(np.fromfile(self.files[index], np.uint8))
        return self.transform(pixels), self.labels[index]


def open_feed(job: Job) -> DataLoaderFeed:
    """Opens the loader."""
    version = versions("torchvision", "torch")
    dataset = RawImages(job) if job.what.codec == "raw" else FileImages(job)
    loader = data_loader(dataset, job, batch_size=job.batch_size, shuffle=True)
    return DataLoaderFeed(version, loader)
