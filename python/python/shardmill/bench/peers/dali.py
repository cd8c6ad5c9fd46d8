"""DALI on the CPU: its numpy reader for raw records, its fused decoders for JPEG files."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shardmill.bench.records import Records
from shardmill.bench.work import AREA, ASPECT, COLOR_AXES, COLOR_STD, MEAN, STD, Job, Work

from . import form
from .torchvision import write_folders

PIP = "pip install nvidia-dali-cuda120 torch"
BUFFER = 1024
"""Images in the reader's shuffle buffer."""


def leaves_out(work: Work) -> str:
    """Names the order of the reader, and the labels, which the numpy reader does not support."""
    order = f"global shuffle (a buffer of {BUFFER})"
    return f"labels, {order}" if work.codec == "raw" else order


def write_arrays(job: Job) -> Path:
    """Raw records as ``.npy`` files."""

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        records = Records(job.shards, job.split)
        for i in range(len(records)):
            np.save(folder / f"{i:08d}.npy", records.pixels(i))

    return form(Path(job.forms) / "arrays", write)


def pipeline(job: Job, dali: Any, fn: Any, types: Any) -> Any:
    """Builds the pipeline for the work."""
    work = job.what
    reader = {
        "random_shuffle": True,
        "initial_fill": BUFFER,
        "pad_last_batch": True,
        "name": "reader",
    }
    where = {"crop_pos_x": (0.0, 1.0), "crop_pos_y": (0.0, 1.0)}
    window = (job.crop, job.crop)

    def draw() -> dict[str, Any]:
        return {name: fn.random.uniform(range=limits) for name, limits in where.items()}

    pipe = dali.Pipeline(batch_size=job.batch_size, num_threads=job.threads, device_id=None, seed=1)
    with pipe:
        rest: dict[str, Any] = {}
        labels: Any = None
        if work.codec == "raw":
            read = fn.readers.numpy(file_root=str(write_arrays(job)), file_filter="*.npy", **reader)
            pixels = fn.reshape(read, layout="HWC")
            rest = {"crop": window, **draw()}
        else:
            encoded, labels = fn.readers.file(file_root=str(write_folders(job)), **reader)
            if work.crop == "fixed":
                pixels = fn.decoders.image_crop(encoded, device="cpu", crop=window, **draw())
            else:
                pixels = fn.decoders.image_random_crop(
                    encoded, device="cpu", random_area=AREA, random_aspect_ratio=ASPECT
                )
                pixels = fn.resize(pixels, size=window)
        mean: Any = list(MEAN)
        if work.color:
            alpha = fn.random.normal(shape=[3], stddev=COLOR_STD)
            shift = [sum(float(axes[j]) * alpha[j] for j in range(3)) for axes in COLOR_AXES]
            mean = fn.stack(*[MEAN[c] - shift[c] for c in range(3)])
        if work.output == "float32":
            rest |= {"dtype": types.FLOAT, "output_layout": "CHW", "mean": mean, "std": list(STD)}
        else:
            rest |= {"dtype": types.UINT8, "output_layout": "HWC"}
        images = fn.crop_mirror_normalize(pixels, mirror=fn.random.coin_flip(), **rest)
        pipe.set_outputs(*([images] if labels is None else [images, labels]))
    pipe.build()
    return pipe


class Dali:
    """A :class:`~shardmill.bench.peers.Feed`."""

    repeats = 1

    def __init__(self, job: Job) -> None:
        dali: Any = importlib.import_module("nvidia.dali")
        fn: Any = importlib.import_module("nvidia.dali.fn")
        types: Any = importlib.import_module("nvidia.dali.types")
        plugin: Any = importlib.import_module("nvidia.dali.plugin.pytorch")
        self.version = f"dali {dali.__version__}"
        names = ["images"] if job.what.codec == "raw" else ["images", "labels"]
        self.batches: Any = plugin.DALIGenericIterator(
            [pipeline(job, dali, fn, types)],
            names,
            reader_name="reader",
            auto_reset=True,
            last_batch_policy=plugin.LastBatchPolicy.PARTIAL,
        )

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """One pass; its first batches were prefetched at the end of the previous pass."""
        for (batch,) in self.batches:
            yield batch["images"], batch.get("labels")


def open_feed(job: Job) -> Dali:
    """Opens the loader."""
    return Dali(job)
