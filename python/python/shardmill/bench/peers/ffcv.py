"""FFCV: a beton file, and one numba pass for crop, flip, colour and normalisation.

That pass is what an expert would write: it is faster than a chain of FFCV's own operations, which have
no PCA colour.  The random resized crop is FFCV's own decoder, before that pass.  FFCV's writer takes only
pixels, so it encodes the JPEG betons itself, at the same quality as ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from shardmill.bench.records import Records
from shardmill.bench.work import AREA, ASPECT, COLOR_AXES, COLOR_STD, MEAN, STD, Job, Work

from . import form

PIP = "pip install ffcv==1.0.2 torch opencv-python  # first: apt-get install libopencv-dev libturbojpeg0-dev pkg-config"
QUALITY = 90
"""JPEG quality, the same as in ``prep``."""
LONG = 16384
"""Approximate least number of images in an epoch: FFCV allocates its buffers again in each epoch, which is
negligible in a long one, but would halve its figure in one of a few thousand images."""


def leaves_out(work: Work) -> str:
    """Nothing."""
    return ""


def write_beton(job: Job) -> Path:
    """Writes the raw records to FFCV's file, in the work's codec."""
    raw = job.what.codec == "raw"

    def write(path: Path) -> None:
        fields: Any = importlib.import_module("ffcv.fields")
        writer: Any = importlib.import_module("ffcv.writer")
        records = Records(job.raw_shards, job.split)

        class Source:
            def __len__(self) -> int:
                return len(records)

            def __getitem__(self, index: int) -> tuple[Any, int]:
                return np.array(records.pixels(index)), int(records.labels[index])

        side = max(records.shape)
        mode = "raw" if raw else "jpg"
        image = fields.RGBImageField(write_mode=mode, max_resolution=side, jpeg_quality=QUALITY)
        columns = {"image": image, "label": fields.IntField()}
        writer.DatasetWriter(str(path), columns, num_workers=job.threads or 1).from_indexed_dataset(Source())

    return form(Path(job.forms) / ("raw.beton" if raw else "jpeg.beton"), write)


def one_pass(job: Job, height: int, width: int) -> Any:
    """An FFCV operation from images of this size to the work's images, compiled by numba."""
    operation: Any = importlib.import_module("ffcv.pipeline.operation")
    query: Any = importlib.import_module("ffcv.pipeline.allocation_query").AllocationQuery
    compiler: Any = importlib.import_module("ffcv.pipeline.compiler").Compiler
    shape, side = job.shape(), job.crop
    dtype = np.dtype(job.what.output)
    down, right = height - side + 1, width - side + 1
    scale = (1 / np.array(STD)).astype(np.float32)
    offset = (-np.array(MEAN) / np.array(STD)).astype(np.float32)
    spread = COLOR_STD if job.what.color else 0.0
    axes = (np.array(COLOR_AXES) * spread).astype(np.float32)

    class OnePass(operation.Operation):  # type: ignore[misc]
        def declare_state_and_memory(self, state: Any) -> tuple[Any, Any]:
            return replace(state, jit_mode=True, shape=shape, dtype=dtype), query(shape, dtype)

        def generate_code(self) -> Callable[[Any, Any], Any]:
            each = compiler.get_iterator()

            def floats(images: Any, out: Any) -> Any:
                n = images.shape[0]
                ys, xs = np.random.randint(0, down, n), np.random.randint(0, right, n)
                flip, alpha = np.random.rand(n) < 0.5, np.random.randn(n, 3).astype(np.float32)
                for i in each(n):
                    for c in range(3):
                        k = scale[c]
                        color = axes[c, 0] * alpha[i, 0] + axes[c, 1] * alpha[i, 1]
                        d = np.float32(offset[c] + k * (color + axes[c, 2] * alpha[i, 2]))
                        for y in range(side):
                            row, o = images[i, ys[i] + y], out[i, c, y]
                            if flip[i]:
                                for x in range(side):
                                    o[x] = row[xs[i] + side - 1 - x, c] * k + d
                            else:
                                for x in range(side):
                                    o[x] = row[xs[i] + x, c] * k + d
                return out

            def bytes_(images: Any, out: Any) -> Any:
                n = images.shape[0]
                ys, xs = np.random.randint(0, down, n), np.random.randint(0, right, n)
                flip = np.random.rand(n) < 0.5
                for i in each(n):
                    for y in range(side):
                        row, o = images[i, ys[i] + y], out[i, y]
                        if flip[i]:
                            for x in range(side):
                                for c in range(3):
                                    o[x, c] = row[xs[i] + side - 1 - x, c]
                        else:
                            o[:] = row[xs[i] : xs[i] + side]
                return out

            run = bytes_ if dtype == np.uint8 else floats
            run.is_parallel = True  # type: ignore[attr-defined]
            return run

    return OnePass()


class Ffcv:
    """A :class:`~shardmill.bench.peers.Feed`."""

    def __init__(self, job: Job) -> None:
        importlib.import_module("ffcv")
        decoders: Any = importlib.import_module("ffcv.fields.decoders")
        loader: Any = importlib.import_module("ffcv.loader")
        ops: Any = importlib.import_module("ffcv.transforms")
        torch: Any = importlib.import_module("torch")
        torch.set_num_threads(max(1, job.threads))
        # Its own __version__ names another release.
        self.version = f"ffcv {metadata.version('ffcv')}"
        records = Records(job.raw_shards, job.split)
        height, width, _ = records.shape
        if job.what.crop == "fixed":
            decoder = decoders.SimpleRGBImageDecoder()
        else:
            height = width = job.crop
            decoder = decoders.RandomResizedCropRGBImageDecoder((height, width), scale=AREA, ratio=ASPECT)
        image = [decoder, one_pass(job, height, width), ops.ToTensor()]
        images = len(records)
        self.repeats = max(1, LONG // images)
        self.loader: Any = loader.Loader(
            str(write_beton(job)),
            indices=np.tile(np.arange(images), self.repeats),
            batch_size=job.batch_size,
            num_workers=job.threads,
            order=loader.OrderOption.RANDOM,
            os_cache=True,
            drop_last=False,
            pipelines={
                "image": image,
                "label": [decoders.IntDecoder(), ops.ToTensor(), ops.Squeeze()],
            },
        )

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """One pass; the images are FFCV's own buffers, which it overwrites some batches later."""
        yield from self.loader


def open_feed(job: Job) -> Ffcv:
    """Opens the loader."""
    return Ffcv(job)
