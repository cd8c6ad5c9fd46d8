"""Photograph-like pictures and the PNG files that ``prep ingest`` reads them from.

A picture has what makes photographs cost what they cost: large soft areas, edges at every scale and
sensor noise.  At 256x256 its JPEG of quality 90 takes about 20 KB, as ImageNet's do.
"""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

SHAPES = 26
"""Discs and boxes in a picture."""
NOISE = 5.0
"""Standard deviation of the noise, in levels of 0..255."""
CLASSES = 100
"""Classes at most."""


def picture(seed: int, side: int) -> Pixels:
    """A picture, uint8 ``[side, side, 3]``, that depends on ``seed`` and ``side`` alone."""
    rng = np.random.default_rng([seed, side])
    single = np.float32
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x * np.cos(angle) + y * np.sin(angle))[..., None]
    image = rng.uniform(40, 215, 3).astype(single) + ramp * rng.uniform(-90, 90, 3).astype(single)
    for _ in range(SHAPES):
        cx, cy = rng.uniform(0, 1, 2)
        radius = 0.02 + 0.3 * rng.beta(1, 4)
        if rng.random() < 0.5:
            inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        else:
            inside = (abs(x - cx) < radius) & (abs(y - cy) < radius * rng.uniform(0.2, 2))
        waves = np.sin((x * rng.uniform(-80, 80) + y * rng.uniform(-80, 80))[inside])[:, None]
        image[inside] = rng.uniform(20, 235, 3) + waves * rng.uniform(0, 30, 3)
    # Noise of light and a little of colour, as a camera's.
    image += NOISE * rng.standard_normal((side, side, 1), single)
    image += NOISE / 3 * rng.standard_normal((side, side, 3), single)
    finished: Pixels = np.clip(image, 0, 255).astype(np.uint8)
    return finished


def png(pixels: Pixels) -> bytes:
    """An uncompressed PNG of uint8 ``[height, width, 3]``, which is quick to write and to read."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def write_pictures(folder: Path, count: int, side: int, seed: int = 0) -> None:
    """Writes ``count`` pictures as PNG files into class folders under ``folder``."""
    for label in range(min(count, CLASSES)):
        (folder / f"n{label:08d}").mkdir(parents=True, exist_ok=True)

    def write(i: int) -> None:
        path = folder / f"n{i % CLASSES:08d}" / f"{i:07d}.png"
        path.write_bytes(png(picture(seed + i, side)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(write, range(count)):
            pass
