"""Shardmill's own loader: numpy arrays, or torch tensors as variant ``ours:torch``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from shardmill.bench.work import Job, Work

PIP = "pip install torch"


def leaves_out(work: Work) -> str:
    """Batches of uint8 have a separate colour shift, which the device adds."""
    return "PCA colour is drawn and returned separately, not added" if work.output == "uint8" else ""


class Ours:
    """A :class:`~shardmill.bench.peers.Feed`."""

    repeats = 1

    def __init__(self, job: Job) -> None:
        shardmill: Any = importlib.import_module("shardmill")
        framework = job.loader.partition(":")[2] or "numpy"
        self.version = f"shardmill {shardmill.__version__}"
        if framework != "numpy":
            library: Any = importlib.import_module(framework)
            self.version += f", {framework} {library.__version__}"
        work = job.what
        self.loader: Any = shardmill.Loader(
            job.shards,
            split=job.split,
            batch_size=job.batch_size,
            augment="alexnet" if work.crop == "fixed" else "random_resized_crop",
            crop=job.crop,
            output=work.output,
            layout=work.layout,
            normalize="imagenet" if work.output == "float32" else None,
            threads=job.threads,
            framework=framework,
            rank=0,
            world_size=1,
        )

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """The next epoch."""
        yield from self.loader


def open_feed(job: Job) -> Ours:
    """Opens the loader on the shards themselves."""
    return Ours(job)
