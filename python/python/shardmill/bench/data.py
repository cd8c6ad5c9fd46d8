"""The images that all loaders read: the user's own shards, or generated images."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client import program, run_program
from .images import CLASSES, samples
from .records import Records

COPIES = 5.5
"""Space that all formats together take, in multiples of the raw dataset: shards, npy, beton, tars, MDS, and JPEGs."""


@dataclass(frozen=True)
class Data:
    """Shards in both codecs, and a folder for the peers' formats."""

    shards: dict[str, Path]
    """By codec, ``raw`` and ``jpeg``."""
    forms: Path
    split: str
    images: int
    side: int
    """The shorter side of a record, in pixels."""
    jpeg_bytes: float
    """Average size of a JPEG."""


def convert(source: Path, codec: str, out: Path) -> None:
    """Writes the same dataset in another codec."""
    run_program([*program("prep"), "convert", str(source), "--codec", codec, "--out", str(out)])


def make_shards(out: Path, images: int, side: int) -> None:
    """Writes raw shards of ``images`` generated images."""
    shardmill: Any = importlib.import_module("shardmill")
    classes = [f"n{label:08d}" for label in range(CLASSES)]
    shardmill.write(out, samples(images, side), classes=classes, codec="raw", size=side)


def make(
    folder: Path,
    *,
    shards: Path | None,
    split: str,
    images: int,
    side: int,
    codecs: set[str],
    say: Callable[[str], None],
) -> Data:
    """Makes or finds the data in ``folder``.

    Raises ``ValueError`` if the folder holds other data, if the split is missing, or if the disk has
    too little space; :class:`~shardmill.bench.client.FailedError` if ``prep`` fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {"shards": str(shards.resolve()) if shards else None, "split": split}
    if shards is None:
        about |= {"images": str(images), "side": str(side)}
    note = folder / "bench.json"
    if note.exists():
        if json.loads(note.read_text()) != about:
            raise ValueError(f"{folder} holds the data of another benchmark: give --keep another folder")
    elif any(folder.iterdir()):
        raise ValueError(f"{folder} holds other files: give --keep an empty or new folder")
    if shards is None:
        room(folder, images * side * side * 3)
    note.write_text(json.dumps(about))
    found: dict[str, Path] = {}
    if shards is None:
        if not (folder / "raw" / "manifest.json").exists():
            say(f"generating {images} images of {side}x{side}")
            make_shards(folder / "raw", images, side)
        found["raw"] = folder / "raw"
    else:
        records = Records(str(shards), split)
        height, width, _ = records.shape
        room(folder, len(records) * height * width * 3)
        if records.codec in ("raw", "jpeg"):
            found[records.codec] = shards
    source = shards or found["raw"]
    # FFCV's writer takes pixels, so every kind of work needs the raw records.
    for codec in sorted({"raw", *codecs} - set(found)):
        if not (folder / codec / "manifest.json").exists():
            say(f"converting to {codec}")
            convert(source, codec, folder / codec)
        found[codec] = folder / codec
    raw = Records(str(found["raw"]), split)
    size = 0.0
    if "jpeg" in found:
        jpeg = Records(str(found["jpeg"]), split)
        size = sum(int(shard["offsets"][-1]) for shard in jpeg.shards) / max(1, len(jpeg))
    forms = folder / "forms"
    forms.mkdir(exist_ok=True)
    return Data(found, forms, split, len(raw), min(raw.shape[:2]), size)


def room(folder: Path, raw_bytes: int) -> None:
    """Refuses data that do not fit on the disk; existing files in the folder count as free space."""
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and os.access(path, os.R_OK))
    free = shutil.disk_usage(folder).free + there
    needed = int(COPIES * raw_bytes)
    if needed > free:
        raise ValueError(
            f"all formats of these images may take {needed / 1e9:.1f} GB, but {folder} has room for "
            f"{free / 1e9:.1f}: give --keep a folder on another disk, --images a smaller number, or "
            "--shards a subset of your shards, made with `prep subset`"
        )
