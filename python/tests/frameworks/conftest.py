"""What every test here has in common: the marker, and datasets made by the program `prep` of PNG files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import CLASSES, SIDE, samples

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.frameworks)


def prep(*arguments: object) -> None:
    """Runs the program `prep`, of SHARDMILL_PREP or built in this repository."""
    program = os.environ.get("SHARDMILL_PREP") or shutil.which("prep", path=ROOT / "target" / "release")
    if program is None:
        pytest.skip("needs the program prep: cargo build --release -p shardmill-prep, or SHARDMILL_PREP")
    subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True)


def _ingested(folder: Path, codec: str) -> Path:
    image = pytest.importorskip("PIL.Image")
    for pixels, label, key in samples():
        path = folder / "images" / "train" / CLASSES[label] / Path(key).name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(path)
    prep(
        "ingest", folder / "images", "--out", folder / "shards", "--size", SIDE, "--codec", codec,
        "--shard-records", 50,
    )  # fmt: skip
    return folder / "shards"


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """131 raw records of 40x40 in 7 classes, three shards."""
    return _ingested(tmp_path_factory.mktemp("raw"), "raw")


@pytest.fixture(scope="session")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as JPEGs."""
    return _ingested(tmp_path_factory.mktemp("jpeg"), "jpeg")
