"""Datasets for the tests: made once, from a formula, so that the Rust tests can make the same."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
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


#: A server of S3 for tests, in the repository that these tests are part of.
SERVERS = Path(__file__).parents[2] / "tests" / "remote" / "servers.py"


@contextlib.contextmanager
def serving(folder: Path, *more: str) -> Iterator[str]:
    """Uploads a folder to a server of S3 and yields its address. The environment names the server and the
    credentials, as for a user."""
    if not SERVERS.is_file():
        pytest.skip("the server for tests is part of the repository")
    command = [sys.executable, str(SERVERS), "run", "plain", "--upload", str(folder), *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        found = json.loads(server.stdout.readline())
        with pytest.MonkeyPatch.context() as environment:
            for name, value in found["env"].items():
                environment.setenv(name, value)
            yield found["url"]
        # The end of its input ends it.
        server.stdin.close()


@pytest.fixture(scope="session")
def store(shards: Path, jpegs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the datasets of `shards` ("raw") and `jpegs` ("jpeg") on a server of S3."""
    folder = tmp_path_factory.mktemp("uploads")
    shutil.copytree(shards, folder / "raw")
    shutil.copytree(jpegs, folder / "jpeg")
    with serving(folder) as address:
        yield {name: f"{address}/{name}" for name in ("raw", "jpeg")}


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
