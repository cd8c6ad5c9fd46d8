"""Mosaic Streaming: MDS files on the local disk, torchvision's transforms, torch's ``DataLoader``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from shardmill.bench.records import Records
from shardmill.bench.work import Job

from . import form
from ._torch import DataLoaderFeed, data_loader, decode, leaves_out, transform, versions

__all__ = ["PIP", "leaves_out", "open_feed"]

PIP = "pip install mosaicml-streaming"


def write_mds(job: Job, module: Any) -> Path:
    """Writes the records as they are stored."""
    raw = job.what.codec == "raw"

    def write(folder: Path) -> None:
        records = Records(job.shards, job.split)
        height, width, channels = records.shape
        kind = f"ndarray:uint8:{height},{width},{channels}" if raw else "bytes"
        columns = {"image": kind, "label": "int"}
        with module.MDSWriter(out=str(folder), columns=columns) as writer:
            for i in range(len(records)):
                image = np.array(records.pixels(i)) if raw else records.stored(i).tobytes()
                writer.write({"image": image, "label": int(records.labels[i])})

    return form(Path(job.forms) / ("mds-raw" if raw else "mds-jpeg"), write)


def open_feed(job: Job) -> DataLoaderFeed:
    """Opens the loader."""
    module: Any = importlib.import_module("streaming")
    torch: Any = importlib.import_module("torch")
    version = versions("streaming", "torch")
    folder = write_mds(job, module)
    change = transform(job)
    raw = job.what.codec == "raw"

    class Images(module.StreamingDataset):  # type: ignore[misc]
        """Decodes and transforms in the workers."""

        def __getitem__(self, at: Any) -> Any:
            sample = super().__getitem__(at)
            if raw:
                pixels = torch.from_numpy(np.array(sample["image"])).permute(2, 0, 1)
            else:
                pixels = decode(np.frombuffer(bytearray(sample["image"]), np.uint8))
            return change(pixels), sample["label"]

    # It would fail on stale shared memory from a killed run.
    util: Any = importlib.import_module("streaming.base.util")
    util.clean_stale_shared_memory()
    dataset = Images(local=str(folder), shuffle=True, batch_size=job.batch_size, num_canonical_nodes=1)
    return DataLoaderFeed(version, data_loader(dataset, job, batch_size=job.batch_size))
