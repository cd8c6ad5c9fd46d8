"""Datasets for the tests: made once, from a formula, so that the Rust tests can make the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import shardmill

SIDE = 40
SAMPLES = 131
CLASSES = [f"class{number}" for number in range(7)]


def picture(number: int) -> np.ndarray:
    """The pixels of sample `number`, the same as in `tests/tests/it/python.rs`."""
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    return ((number * 31 + y * 5 + x * (3 + number % 4) + c * 67 + x * y % 11) % 256).astype(np.uint8)


def samples(count: int = SAMPLES) -> Iterator[tuple[np.ndarray, int, str]]:
    for number in range(count):
        label = number % len(CLASSES)
        yield picture(number), label, f"{CLASSES[label]}/{number:04}.png"


def make(out: Path, *, codec: str = "raw", count: int = SAMPLES, **more: object) -> Path:
    shardmill.write(out, samples(count), classes=CLASSES, size=SIDE, codec=codec, shard_records=50, **more)
    return out


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """131 raw records of 40x40 in 7 classes, three shards."""
    return make(tmp_path_factory.mktemp("raw") / "shards")


@pytest.fixture(scope="session")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same samples as JPEGs."""
    return make(tmp_path_factory.mktemp("jpeg") / "shards", codec="jpeg")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Raw shards that a test may damage."""
    return make(tmp_path / "shards")


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the environment variables of launchers from the tests."""
    for name in (
        "RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "SLURM_PROCID",
        "SLURM_NTASKS",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
    ):
        monkeypatch.delenv(name, raising=False)
