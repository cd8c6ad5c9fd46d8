"""Every loader of the bench does the work that its row is named after.

The pictures tell where they were cut: red is the column, green the row, blue the class.  Loaders that
are not installed are skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import shardmill
from shardmill.bench.data import convert
from shardmill.bench.peers import PEERS
from shardmill.bench.work import ASPECT, MEAN, STD, WORKS, Job

IMAGES = 80
SIDE = 256
CROP = 224
BATCH = 32
KEPT = 320
"""Number of images of an epoch to examine: FFCV's epochs hold each image many times."""
STEP = 3
"""Levels of blue between classes."""
SCRIPT = """
import os, sys
import numpy as np
from shardmill.bench.peers import module
from shardmill.bench.work import Job
job = Job.from_json(sys.argv[1])
try:
    feed = module(job.loader).open_feed(job)
except ImportError as error:
    print(error)
    sys.stdout.flush()
    os._exit(77)
images, labels, count = [], [], 0
for pixels, some in feed.epoch():
    count += len(pixels)
    if count <= int(sys.argv[3]):
        images.append(np.array(pixels))
    if some is not None:
        labels.append(np.array(some).reshape(-1))
np.savez(sys.argv[2], images=np.concatenate(images), repeats=feed.repeats, count=count,
         labels=np.concatenate(labels) if labels else np.zeros(0, np.int64))
os._exit(0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards in both codecs, with one image per class."""
    place = tmp_path_factory.mktemp("peers")
    y, x = np.mgrid[0:SIDE, 0:SIDE]

    def picture(number: int) -> npt.NDArray[np.uint8]:
        return np.stack([x, y, np.full_like(x, number * STEP)], axis=2).astype(np.uint8)

    samples = [(picture(number), number) for number in range(IMAGES)]
    shardmill.write(place / "raw", samples, classes=[f"c{number:03d}" for number in range(IMAGES)])
    convert(place / "raw", "jpeg", place / "jpeg")
    (place / "forms").mkdir()
    return place


def epoch(folder: Path, loader: str, work: str, out: Path) -> Any:
    """An epoch of the loader, read in a separate process."""
    job = Job(
        loader=loader,
        work=work,
        shards=str(folder / WORKS[work].codec),
        raw_shards=str(folder / "raw"),
        split="train",
        forms=str(folder / "forms"),
        threads=2,
        batch_size=BATCH,
        crop=CROP,
    )
    command = [sys.executable, "-c", SCRIPT, job.to_json(), str(out), str(KEPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == 77:
        pytest.skip(f"{loader}: {done.stdout.strip()}")
    assert done.returncode == 0, json.dumps(command) + done.stderr
    return np.load(out)


def levels(images: npt.NDArray[Any], work: str) -> npt.NDArray[np.float64]:
    """The images as ``[n, height, width, 3]`` on the 0..255 scale."""
    if WORKS[work].output == "uint8":
        return images.astype(np.float64)
    finished: npt.NDArray[np.float64] = images.transpose(0, 2, 3, 1).astype(np.float64) * STD + MEAN
    return finished


@pytest.mark.parametrize("work", list(WORKS))
@pytest.mark.parametrize("loader", ["ours", "ours:torch", *PEERS])
def test_a_loader_does_its_work(folder: Path, tmp_path: Path, loader: str, work: str) -> None:
    what = WORKS[work]
    held = epoch(folder, loader, work, tmp_path / "epoch.npz")
    repeats = int(held["repeats"])
    images = held["images"]
    side = (CROP, CROP, 3) if what.layout == "nhwc" else (3, CROP, CROP)
    assert held["count"] == IMAGES * repeats
    assert images.shape[1:] == side
    assert images.dtype == np.dtype(what.output)
    images = levels(images, work)
    exact = 0.51 if what.codec == "raw" else 4.0
    # Colour noise adds one number to each channel of an image, at most about 50 levels here.
    classes = []
    flips = 0
    areas = []
    offsets = set()
    for image in images:
        red, green, blue = image[..., 0], image[..., 1], image[..., 2]
        slope = (red[:, -9:].mean() - red[:, :9].mean()) / (CROP - 9)
        flips += slope < 0
        height = (green[-9:].mean() - green[:9].mean()) / (CROP - 9)
        columns = red.mean(axis=0) - red.mean()
        rows = green.mean(axis=1) - green.mean()
        line = np.arange(CROP) - (CROP - 1) / 2
        middle = slice(9, -9)
        assert np.abs(columns - line * slope)[middle].max() < exact + 1.0, "columns are in order"
        assert np.abs(rows - line * height)[middle].max() < exact + 1.0, "rows are in order"
        assert blue.std() < exact, "blue is flat"
        if what.crop == "fixed":
            assert abs(abs(slope) - 1) < 0.02
            assert abs(height - 1) < 0.02
            if not what.color:
                left, top = round(red.min()), round(green.min())
                assert 0 <= left <= SIDE - CROP
                assert 0 <= top <= SIDE - CROP
                window = np.arange(CROP)
                if slope < 0:
                    window = window[::-1]
                assert np.array_equal(red, np.tile(left + window, (CROP, 1))), "exact pixels"
                offsets.add((left, top))
        else:
            assert height > 0
            width, tall = abs(slope) * CROP, height * CROP
            areas.append(width * tall / SIDE**2)
            # The ends of a narrow window are a pixel or two uncertain.
            assert ASPECT[0] * 0.9 < width / tall < ASPECT[1] * 1.1
        if not what.color:
            classes.append(round(blue.mean() / STEP))
    share = flips / len(images)
    assert 0.2 < share < 0.8, "about half are flipped"
    if areas:
        assert min(areas) > 0.08 * 0.85
        assert max(areas) < 1.02
        assert np.std(areas) > 0.1, "areas are drawn"
    if what.output == "uint8":
        assert len(offsets) > min(IMAGES, len(images)) // 2, "windows are drawn"
    labels = held["labels"]
    if len(labels):
        assert np.array_equal(np.bincount(labels), np.full(IMAGES, repeats)), "each image once"
        if classes:
            assert classes == labels[: len(classes)].tolist(), "labels belong to their images"
    else:
        assert (loader, what.codec) == ("dali", "raw")
        if repeats == 1 and classes:
            assert sorted(classes) == list(range(IMAGES)), "each image once"
    if what.color:
        noise = images[..., 2].mean(axis=(1, 2))
        # Without noise, blue is an integer; after JPEG, the label gives it.
        noise = noise - (np.round(noise) if what.codec == "raw" else STEP * labels[: len(images)])
        omits = loader in ("torchvision", "webdataset", "mosaic")
        assert (noise.std() > 0.1) != omits or what.codec == "jpeg"
        assert (noise.std() > 1.0) != omits or what.codec == "raw"
