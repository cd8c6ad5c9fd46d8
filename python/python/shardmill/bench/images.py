"""Generated photograph-like images, for a benchmark without the user's own data.

Each image has the properties that determine the cost of photographs: large soft areas, edges at every
scale and sensor noise.  At 256x256 its JPEG of quality 90 takes about 20 KB, like ImageNet's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

SHAPES = 26
"""Discs and boxes in an image."""
NOISE = 5.0
"""Standard deviation of the noise, in levels of 0..255."""
CLASSES = 100
"""Number of classes."""
CHUNK = 64
"""Images that are drawn at the same time."""


def picture(seed: int, side: int) -> Pixels:
    """An image, uint8 ``[side, side, 3]``, that depends only on ``seed`` and ``side``."""
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
    # Luminance noise and a little colour noise, as from a camera.
    image += NOISE * rng.standard_normal((side, side, 1), single)
    image += NOISE / 3 * rng.standard_normal((side, side, 3), single)
    finished: Pixels = np.clip(image, 0, 255).astype(np.uint8)
    return finished


def samples(count: int, side: int) -> Iterator[tuple[Pixels, int, str]]:
    """Images with label and key, in the form that :func:`shardmill.write` takes, drawn on all cores."""

    def sample(number: int) -> tuple[Pixels, int, str]:
        return picture(number, side), number % CLASSES, f"{number:07d}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time, since a pool works through everything submitted, even if nobody consumes the results.
        for start in range(0, count, CHUNK):
            yield from pool.map(sample, range(start, min(count, start + CHUNK)))
