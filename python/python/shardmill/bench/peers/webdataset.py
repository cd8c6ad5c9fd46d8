"""WebDataset: tar files, a shuffle buffer and torchvision's transforms in ``WebLoader``'s workers.

The tars are shuffled in each epoch, and their images pass through a buffer of 1,000 images. Unlike the
other loaders' order, this is not a random permutation of all images.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from shardmill.bench.records import Records
from shardmill.bench.work import Job, Work

from . import _torch, form

PIP = "pip install webdataset torch torchvision"
TARS = 16
"""Tar files; each worker takes its share of them."""
BUFFER = 1000
"""Images in a worker's shuffle buffer."""


def leaves_out(work: Work) -> str:
    """Names what torchvision leaves out, and the order."""
    missing = _torch.leaves_out(work)
    return f"{missing}{', ' if missing else ''}global shuffle (a buffer of {BUFFER})"


def write_tars(job: Job, module: Any) -> Path:
    """Writes the records as they are stored, raw pixels without a header."""
    raw = job.what.codec == "raw"

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        records = Records(job.shards, job.split)
        tars = max(TARS, job.threads)
        for tar in range(tars):
            with module.TarWriter(str(folder / f"{tar:04d}.tar")) as writer:
                for i in range(tar, len(records), tars):
                    stored = records.pixels(i) if raw else records.stored(i)
                    sample = {"bin" if raw else "jpg": stored.tobytes()}
                    label = str(int(records.labels[i])).encode()
                    writer.write({"__key__": f"{i:08d}", "cls": label, **sample})

    return form(Path(job.forms) / ("tars-raw" if raw else "tars-jpeg"), write)


class Sample:
    """Converts the entries of a tar to an image and its label."""

    def __init__(self, job: Job) -> None:
        torch: Any = importlib.import_module("torch")
        self.from_numpy = torch.from_numpy
        self.shape = Records(job.shards, job.split).shape
        self.transform = _torch.transform(job)

    def __call__(self, sample: dict[str, bytes]) -> tuple[Any, int]:
        label = int(sample["cls"])
        if "jpg" in sample:
            pixels = _torch.decode(np.frombuffer(bytearray(sample["jpg"]), np.uint8))
        else:
            raw = np.frombuffer(bytearray(sample["bin"]), np.uint8).reshape(self.shape)
            pixels = self.from_numpy(raw).permute(2, 0, 1)
        return self.transform(pixels), label


def open_feed(job: Job) -> _torch.DataLoaderFeed:
    """Opens the loader."""
    module: Any = importlib.import_module("webdataset")
    version = _torch.versions("webdataset", "torch")
    tars = sorted(str(path) for path in write_tars(job, module).glob("*.tar"))
    dataset = module.WebDataset(tars, shardshuffle=len(tars)).shuffle(BUFFER)
    batches = dataset.map(Sample(job)).batched(job.batch_size)
    loader = module.WebLoader(
        batches,
        batch_size=None,
        num_workers=job.threads,
        persistent_workers=job.threads > 0,
    )
    return _torch.DataLoaderFeed(version, loader)
