"""Making, verifying and describing datasets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from shardmill import _core
from shardmill.errors import DatasetNotFoundError, PrepareError, SettingError
from shardmill.progress import Progress
from shardmill.words import number, short, whole

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ProgressFunction", "ingest", "inspect", "verify", "write"]

#: Called with the kind of work, the amount done, and the total, which is ``None`` while it is unknown.
ProgressFunction: TypeAlias = Callable[[str, int, "int | None"], object]

#: Longest key of the format, in bytes.
_LONGEST_KEY = 4096

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
    """Makes a dataset from image files in any layout that ``prep ingest`` reads: class folders, ImageNet's tars,
    Kaggle's download, lists, WebDataset, Parquet. The options are those of the program.

    ``out`` may be an address such as ``s3://bucket/imagenet``: shards are uploaded as they are finished. After an
    interruption, the same call resumes. Returns the summary: ``images``, ``records`` of each split,
    ``classes``, ``rejects`` by reason, ``passed_over``, ``warned``, ``notes``, ``seconds``.
    """
    make = make_options(
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
    args = ingest_options(
        layout=layout,
        max_rejects=max_rejects,
        seed=seed,
        val_fraction=val_fraction,
        without=without,
        ignore_free_space=ignore_free_space,
    )
    with Progress(progress) as shown:
        return summary_of(_core.ingest(os.fsdecode(source), os.fsdecode(out), make, args, shown.function))


def ingest_options(
    *,
    layout: str | None,
    max_rejects: int | str | None,
    seed: int,
    val_fraction: float,
    without: Sequence[str],
    ignore_free_space: bool,
    work: _PathLike | None = None,
) -> dict[str, Any]:
    """The other options of an ingest, in the form that the compiled part takes."""
    wrong = [name for name in without if name not in ("train", "val", "test")]
    if isinstance(without, str) or wrong:
        raise SettingError(f'without is {without!r}; give a list of "train", "val" and "test"')
    return {
        "layout": None if layout is None else str(layout),
        "max_rejects": None if max_rejects is None else str(max_rejects),
        "seed": whole("seed", seed, 0),
        "val_fraction": number("val_fraction", val_fraction),
        "without": list(without),
        "ignore_free_space": bool(ignore_free_space),
        "work": None if work is None else os.fsdecode(work),
    }


def _check_dataset(path: _PathLike) -> str:
    """Returns the folder, after checking that it holds a dataset; or an address as it is."""
    folder = os.fsdecode(path)
    if _core.is_address(folder):
        return folder
    if os.path.exists(os.path.join(folder, "manifest.json")):
        return folder
    held = [name for name in os.listdir(folder) if name.endswith(".journal")] if os.path.isdir(folder) else []
    if "write.journal" in held:
        text = "holds the remains of an interrupted write(): remove the folder and write the dataset again"
    elif held:
        text = f"holds an unfinished dataset ({held[0]}): run the same call or command again to resume it"
    else:
        text = "holds no manifest.json: give a folder that ingest or write made"
    raise DatasetNotFoundError(f"{folder} {text}", path=folder)


def verify(path: _PathLike, *, threads: int = 0, progress: bool | ProgressFunction = True) -> dict[str, Any]:
    """Rereads every record of a dataset and compares it with its checksum. Returns the counts and the
    ``faults``, each with its shard and record; an empty list means that the dataset is intact."""
    with Progress(progress) as shown:
        return summary_of(_core.verify(_check_dataset(path), whole("threads", threads, 0), shown.function))


class Inspection(dict[str, Any]):
    """Describes a dataset: ``manifest``, ``class_counts``, ``classes_in_batch_of_128``. Printing it gives the text
    of ``prep inspect``."""

    def __init__(self, found: dict[str, Any], text: str) -> None:
        super().__init__(found)
        self._text = text

    def __str__(self) -> str:
        return self._text


def inspect(path: _PathLike) -> Inspection:
    """Describes a dataset."""
    found, text = _core.inspect(_check_dataset(path))
    return Inspection(summary_of(found), text)


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
    """Makes a dataset from a program's own images, one by one: any number of them, in bounded memory.

    A sample is ``(image, label)``, ``(image, label, key)`` or ``(image, label, key, split)``. The image is a uint8
    array ``[height, width]`` or ``[height, width, channels]`` (grey, grey and alpha, RGB, RGBA), a PIL image, the
    bytes of an image file, or the path of one. It is resized as in ``prep ingest``, or stored unchanged if it has
    the size of the records. The label is an index into ``classes``, or the name of the class, or -1 in a split
    without labels. Keys must be unique; by default they consist of the split and a number.

    Samples keep their order: shuffle them first if the loader will use ``order="blocks"``. An unfinished dataset
    is removed. Returns the summary, with ``notes`` on anything unexpected.
    """
    names: list[str] = list(classes) if isinstance(classes, (list, tuple)) else [""]
    if not all(isinstance(name, str) and name and name.isprintable() for name in names):
        raise SettingError(f"classes is {short(classes)}; give a list of names, each a printable string")
    labels = {name: label for label, name in enumerate(names)}
    make = make_options(
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
    writer = _core.Writer(os.fsdecode(out), names, make)
    try:
        with Progress(progress) as shown:
            small = 0
            for at, sample in enumerate(samples):
                short_side = _push(writer, at, sample, split, labels)
                small += short_side is not None and short_side < make["size"]
                if shown.function is not None:
                    shown.function("write", at + 1, total)
            summary = summary_of(writer.finish())
            if small:
                summary["notes"].append(
                    f"{small:,} arrays have a side shorter than size={make['size']} and were enlarged: reduce size"
                )
            return summary
    finally:
        # Has no effect on a finished writer.
        writer.abandon()


def _push(writer: _core.Writer, number: int, sample: Sequence[Any], split: str, labels: dict[str, int]) -> int | None:
    """Passes a sample to the writer; returns the shorter side of an array, or ``None``."""
    if not isinstance(sample, (tuple, list)) or not 2 <= len(sample) <= 4:
        raise PrepareError(
            f"sample {number} is {short(sample)}; give (image, label), optionally followed by a key and a split"
        )
    image, label = sample[0], sample[1]
    key = sample[2] if len(sample) > 2 else None
    if key is not None and not (isinstance(key, str) and _is_utf8(key) and len(key) <= _LONGEST_KEY):
        raise PrepareError(
            f"sample {number} has the key {short(key)}; give a string of at most {_LONGEST_KEY} bytes in UTF-8, or None"
        )
    where = sample[3] if len(sample) > 3 else split
    if not isinstance(where, str):
        raise PrepareError(f"sample {number} has the split {short(where)}; give a string")
    if isinstance(label, str):
        if label not in labels:
            raise PrepareError(f"sample {number} has the label {label!r}, which is not in classes={list(labels)[:5]}")
        label = labels[label]
    try:
        at = whole("the label", label, -1)
    except SettingError as error:
        raise PrepareError(f"sample {number}: {error}") from None
    if isinstance(image, (os.PathLike, str)):
        try:
            image = Path(image).read_bytes()
        except OSError as error:
            raise PrepareError(f"sample {number}: {error}") from error
    # A memoryview with several axes comes from an array.
    if isinstance(image, (bytes, bytearray)) or (isinstance(image, memoryview) and image.ndim == 1):
        writer.push_encoded(where, bytes(image), at, key)
        return None
    pixels = _pixels(number, image)
    writer.push_pixels(where, pixels, at, key)
    return int(min(pixels.shape[:2]))


def _pixels(number: int, image: Any) -> npt.NDArray[np.uint8]:
    """The pixels of an array or a PIL image, ``[height, width]`` or with 1 to 4 channels."""
    if hasattr(image, "convert") and hasattr(image, "mode"):
        image = _eight_bits(number, image)
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise PrepareError(
            f"sample {number} is an array of {array.dtype}; give uint8 on the 0-255 scale, or an image file's bytes"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4) or not array.size:
        raise PrepareError(
            f"sample {number} has the shape {array.shape}; give [height, width] or [height, width, channels] with 1 to "
            "4 channels"
        )
    return array


def _eight_bits(number: int, image: Any) -> Any:
    """Converts a PIL image to a mode with 8-bit grey or RGB channels."""
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBa"):
        return image.convert("RGBA")
    if image.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
        return image.convert("RGB")
    raise PrepareError(
        f"sample {number} is a PIL image of mode {image.mode!r}, whose channels are not 8 bits: give the image file, "
        "whose levels are then scaled as in prep, or convert the image to RGB"
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_options(**options: Any) -> dict[str, Any]:
    """The options that ingest and write share, in the form that the compiled part takes."""
    decode = {name: str(options.pop(name)) for name in ("resize", "filter", "exif", "truncated", "check")}
    quality = options["quality"]
    if quality is not None:
        if options["codec"] != "jpeg":
            raise SettingError(f"quality is {quality!r}, but codec {options['codec']!r} has none: omit quality")
        quality = whole("quality", quality, 1, 100)
    memory = options["decode_memory"]
    return {
        "codec": str(options["codec"]),
        "quality": quality,
        "size": whole("size", options["size"], 1, 8192),
        "decode": decode,
        "on_error": str(options["on_error"]),
        "shard_records": whole("shard_records", options["shard_records"], 1),
        "threads": whole("threads", options["threads"], 0),
        "decode_memory": None if memory is None else whole("decode_memory", memory, 1),
    }


def summary_of(text: str) -> dict[str, Any]:
    """What the compiled part says of its work."""
    found: dict[str, Any] = json.loads(text)
    return found
