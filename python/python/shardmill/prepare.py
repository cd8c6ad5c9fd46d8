"""Making, verifying and describing datasets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, TypeAlias

import numpy as np

from shardmill import _core
from shardmill.errors import PrepareError, SettingError
from shardmill.progress import Progress
from shardmill.words import whole

__all__ = ["ProgressFunction", "ingest", "inspect", "verify", "write"]

#: Called with the kind of work, how much is done, and the total, ``None`` while it is unknown.
ProgressFunction: TypeAlias = Callable[[str, int, "int | None"], object]

_PathLike: TypeAlias = "str | os.PathLike[str]"


def ingest(
    source: _PathLike,
    out: _PathLike,
    *,
    codec: str = "raw",
    quality: int | None = None,
    size: int = 256,
    resize: str = "short-side",
    filter: str = "bilinear",
    exif: str = "ignore",
    truncated: str = "reject",
    check: str = "decoded",
    on_error: str = "reject",
    max_rejects: int | str | None = None,
    layout: str | None = None,
    val_fraction: float = 0.0,
    without: Sequence[str] = (),
    shard_records: int = 4096,
    seed: int = 0,
    threads: int = 0,
    decode_memory: int | None = None,
    ignore_free_space: bool = False,
    progress: bool | ProgressFunction = True,
) -> dict[str, Any]:
    """Makes a dataset of image files in any layout that ``prep ingest`` takes: class folders, ImageNet's tars,
    Kaggle's download, lists, WebDataset, Parquet. The options are those of the program.

    After an interruption the same call goes on. Returns the summary: ``images``, ``records`` of each split,
    ``classes``, ``rejects`` by reason, ``passed_over``, ``warned``, ``notes``, ``seconds``.
    """
    make = _make(
        codec=codec,
        quality=quality,
        size=size,
        resize=resize,
        filter=filter,
        exif=exif,
        truncated=truncated,
        check=check,
        on_error=on_error,
        shard_records=shard_records,
        threads=threads,
        decode_memory=decode_memory,
    )
    wrong = [name for name in without if name not in ("train", "val", "test")]
    if isinstance(without, str) or wrong:
        raise SettingError(f'without is {without!r}; give a list of "train", "val" and "test"')
    args = {
        "layout": layout,
        "max_rejects": None if max_rejects is None else str(max_rejects),
        "seed": whole("seed", seed, 0),
        "val_fraction": float(val_fraction),
        "without": list(without),
        "ignore_free_space": bool(ignore_free_space),
    }
    with Progress(progress) as shown:
        return _dict(_core.ingest(os.fspath(source), os.fspath(out), make, args, shown.function))


def verify(path: _PathLike, *, threads: int = 0, progress: bool | ProgressFunction = True) -> dict[str, Any]:
    """Rereads every record of a dataset and compares it with its checksum. Returns the counts and the
    ``faults``, each with its shard and record; an empty list says that the dataset is well."""
    with Progress(progress) as shown:
        return _dict(_core.verify(os.fspath(path), whole("threads", threads, 0), shown.function))


class Inspection(dict[str, Any]):
    """What a dataset consists of: ``manifest``, ``class_counts``, ``classes_in_batch_of_128``. Printed, it is the
    text of ``prep inspect``."""

    def __init__(self, found: dict[str, Any], text: str) -> None:
        super().__init__(found)
        self._text = text

    def __str__(self) -> str:
        return self._text


def inspect(path: _PathLike) -> Inspection:
    """What a dataset consists of."""
    found, text = _core.inspect(os.fspath(path))
    return Inspection(_dict(found), text)


def write(
    out: _PathLike,
    samples: Iterable[Sequence[Any]],
    *,
    classes: Sequence[str] = (),
    split: str = "train",
    codec: str = "raw",
    quality: int | None = None,
    size: int = 256,
    resize: str = "short-side",
    filter: str = "bilinear",
    exif: str = "ignore",
    truncated: str = "reject",
    check: str = "decoded",
    on_error: str = "stop",
    shard_records: int = 4096,
    threads: int = 0,
    decode_memory: int | None = None,
    progress: bool | ProgressFunction = False,
) -> dict[str, Any]:
    """Makes a dataset of a program's own images, one by one: of any number, in bounded memory.

    A sample is ``(image, label)``, ``(image, label, key)`` or ``(image, label, key, split)``. The image is a uint8
    array ``[height, width]`` or ``[height, width, channels]`` (grey, grey and alpha, RGB, RGBA), a PIL image, the
    bytes of an image file, or the path of one; it is resized as ``prep ingest`` does it, and stored as it is
    where it has the records' size. The label is a place in ``classes``, or the class's name, or -1 in a split
    without labels. Keys are unique and default to the split and a number.

    Samples keep their order: shuffle them first if the loader is to read ``order="blocks"``. Nothing is left of a
    dataset that was not finished. Returns the summary, with ``notes`` on what a user might not expect.
    """
    if isinstance(classes, str):
        raise SettingError(f"classes is {classes!r}; give a list of names")
    names = [str(name) for name in classes]
    labels = {name: label for label, name in enumerate(names)}
    make = _make(
        codec=codec,
        quality=quality,
        size=size,
        resize=resize,
        filter=filter,
        exif=exif,
        truncated=truncated,
        check=check,
        on_error=on_error,
        shard_records=shard_records,
        threads=threads,
        decode_memory=decode_memory,
    )
    total = len(samples) if isinstance(samples, Sized) else None
    writer = _core.Writer(os.fspath(out), names, make)
    try:
        with Progress(progress) as shown:
            for number, sample in enumerate(samples):
                _push(writer, number, sample, split, labels)
                if shown.function is not None:
                    shown.function("write", number + 1, total)
            return _dict(writer.finish())
    finally:
        # Without effect on one that is finished.
        writer.abandon()


def _push(writer: _core.Writer, number: int, sample: Sequence[Any], split: str, labels: dict[str, int]) -> None:
    if not isinstance(sample, (tuple, list)) or not 2 <= len(sample) <= 4:
        raise PrepareError(
            f"sample {number} is {_short(sample)}; give (image, label), with a key and a split behind them if you like"
        )
    image, label = sample[0], sample[1]
    key = sample[2] if len(sample) > 2 else None
    if key is not None and not isinstance(key, str):
        raise PrepareError(f"sample {number} has the key {_short(key)}; give a string or None")
    where = sample[3] if len(sample) > 3 else split
    if not isinstance(where, str):
        raise PrepareError(f"sample {number} has the split {_short(where)}; give a string")
    if isinstance(label, str):
        if label not in labels:
            raise PrepareError(f"sample {number} has the label {label!r}, which is not among classes")
        label = labels[label]
    try:
        at = whole("a label", label, -1)
    except SettingError as error:
        raise PrepareError(f"sample {number}: {error}") from None
    if isinstance(image, (os.PathLike, str)):
        with open(image, "rb") as file:
            image = file.read()
    if isinstance(image, (bytes, bytearray, memoryview)):
        writer.push_encoded(where, bytes(image), at, key)
        return
    pixels = _pixels(number, image)
    writer.push_pixels(where, pixels, at, key)


def _pixels(number: int, image: Any) -> Any:
    if hasattr(image, "convert") and hasattr(image, "mode"):
        # A PIL image; its modes beyond these have no bytes as channels.
        image = image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise PrepareError(
            f"sample {number} is an array of {array.dtype}; give uint8 on the 0-255 scale, or an image file's bytes"
        )
    return array


def _make(**options: Any) -> dict[str, Any]:
    """Options of every dataset that is made, as the compiled part takes them."""
    decode = {name: str(options.pop(name)) for name in ("resize", "filter", "exif", "truncated", "check")}
    quality = options["quality"]
    if quality is not None:
        if options["codec"] != "jpeg":
            raise SettingError(f"quality is {quality!r}, and codec {options['codec']!r} has none: leave it out")
        quality = whole("quality", quality, 1)
        if quality > 100:
            raise SettingError(f"quality is {quality}; give 1 to 100")
    memory = options["decode_memory"]
    return {
        "codec": str(options["codec"]),
        "quality": quality,
        "size": min(whole("size", options["size"], 1), 0xFFFF_FFFF),
        "decode": decode,
        "on_error": str(options["on_error"]),
        "shard_records": whole("shard_records", options["shard_records"], 1),
        "threads": whole("threads", options["threads"], 0),
        "decode_memory": None if memory is None else whole("decode_memory", memory, 1),
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _dict(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
