"""The kinds of work that loaders are measured at, and the job of one measured process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

MEAN = (123.675, 116.28, 103.53)
"""ImageNet's mean on the 0..255 scale, as in ``loader bench``."""
STD = (58.395, 57.12, 57.375)
AREA = (0.08, 1.0)
"""Least and largest share of the area in a random resized crop."""
ASPECT = (3 / 4, 4 / 3)
COLOR_STD = 0.1
"""Standard deviation of the PCA colour noise, from the paper."""
COLOR_AXES = (
    (-31.475, 3.448, 0.460),
    (-32.213, -0.022, -0.934),
    (-32.369, -3.331, 0.482),
)
"""Row c: channel c of ImageNet's three colour axes on the 0..255 scale, each scaled by its standard
deviation; for the peers, since Shardmill uses the axes of the dataset."""


@dataclass(frozen=True)
class Work:
    """What every loader does to every image."""

    name: str
    codec: str
    """Codec of the shards: ``raw`` or ``jpeg``."""
    crop: str
    """``fixed`` (a random window of fixed size) or ``resized`` (random area and aspect)."""
    output: str
    """``float32`` or ``uint8``."""
    layout: str
    title: str

    @property
    def color(self) -> bool:
        """Whether PCA colour noise is part of the work."""
        return self.crop == "fixed" and self.output == "float32"


WORKS = {
    work.name: work
    for work in (
        Work(
            "raw",
            "raw",
            "fixed",
            "float32",
            "nchw",
            "raw to f32 NCHW: random crop, flip, PCA colour, normalise",
        ),
        Work("raw-u8", "raw", "fixed", "uint8", "nhwc", "raw to u8 NHWC: random crop, flip"),
        Work(
            "jpeg-rrc",
            "jpeg",
            "resized",
            "float32",
            "nchw",
            "JPEG to f32 NCHW: random resized crop, flip, normalise",
        ),
        Work(
            "jpeg",
            "jpeg",
            "fixed",
            "float32",
            "nchw",
            "JPEG to f32 NCHW: random crop, flip, PCA colour, normalise",
        ),
    )
}


@dataclass(frozen=True)
class Job:
    """What a measured process loads, from where and how.  It is passed to the process as JSON."""

    loader: str
    """Name of a module under ``shardmill.bench.peers``, optionally with a variant: ``ours:torch``."""
    work: str
    shards: str
    """Folder of the shards in the work's codec."""
    raw_shards: str
    """Folder of the same images as raw records."""
    split: str
    forms: str
    """Folder that holds the same images in the peers' own formats."""
    threads: int
    batch_size: int
    crop: int

    def to_json(self) -> str:
        """The job as one line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        """Reads the job that ``to_json`` wrote."""
        return Job(**json.loads(text))

    @property
    def what(self) -> Work:
        """The kind of work."""
        return WORKS[self.work]

    def shape(self) -> tuple[int, int, int]:
        """Shape of an image in a batch."""
        side = self.crop
        return (3, side, side) if self.what.layout == "nchw" else (side, side, 3)
