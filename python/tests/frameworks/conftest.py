"""Shared by all tests here: the marker, and larger images for the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import shardmill

HERE = Path(__file__).parent
KINDS = 5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.frameworks)


def waves(count: int, side: int) -> Iterator[tuple[np.ndarray, int, str]]:
    """Waves of colour, with a different pattern in each class, and noise."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    for number in range(count):
        label = number % KINDS
        pattern = [np.sin(6 * x * (1 + label) + number), np.cos(4 * y * (1 + label % 3)), np.sin(5 * (x + y) + label)]
        pixels = 128 + 70 * np.stack(pattern, -1) + draw.normal(0, 12, (side, side, 3))
        yield np.clip(pixels, 0, 255).astype(np.uint8), label, f"kind{label}/{number:04}.png"


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 raw records of 256x256 in 5 classes, three shards."""
    out = tmp_path_factory.mktemp("photos") / "shards"
    shardmill.write(out, waves(240, 256), classes=[f"kind{kind}" for kind in range(KINDS)], size=256, shard_records=80)
    return out
