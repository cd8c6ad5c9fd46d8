"""`python -m shardmill.bench`: its processes, its data, its command line, and a run without peers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shardmill.bench import cli, data, images, worker
from shardmill.bench.client import FailedError, SkippedError, Worker
from shardmill.bench.records import tensors
from shardmill.bench.runner import OURS, RUST
from shardmill.bench.work import WORKS, Job


def job(loader: str = OURS) -> Job:
    return Job(loader, "raw", "shards", "raw", "train", "forms", 2, 4, 8)


# Processes


def python(folder: Path, text: str) -> str:
    """An interpreter whose ``shardmill.bench.worker`` is ``text``: a shell script."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return str(script)


def test_a_worker_that_ends_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match=r"ended with status 3\nImport of doom"):
        Worker(job(), python(tmp_path, "echo Import of doom >&2; exit 3"))
    with pytest.raises(FailedError, match="ended with signal SIGABRT"):
        Worker(job(), python(tmp_path, "kill -ABRT $$"))


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(FailedError, match="no answer within 0 s"):
        Worker(job(), python(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60"), patience=0.4)
    assert time.monotonic() - start < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_worker_without_its_loader_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    missing = "ours:no_framework_of_this_name"
    with pytest.raises(SkippedError, match="No module named 'no_framework_of_this_name'"):
        Worker(job(missing))


def state(pid: int) -> str:
    return worker._fields(pid)[0]


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_is_stopped_while_it_is_not_its_turn(small: Path) -> None:
    held = Worker(small_job(small))
    try:
        pid = held.process.pid
        assert until(lambda: state(pid) == "T")
        assert held.round(0.01).images_per_second > 0
        assert until(lambda: state(pid) == "T")
        os.killpg(pid, signal.SIGKILL)
        with pytest.raises(FailedError, match="SIGKILL"):
            held.round(0.01)
    finally:
        held.close()


# Data


def test_pictures_differ_and_are_the_same_again() -> None:
    first, second = images.picture(0, 64), images.picture(1, 64)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, images.picture(0, 64))
    assert not np.array_equal(first, second)
    assert 30 < first.std() < 110


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 pictures of 64x64 in both codecs."""
    place = tmp_path_factory.mktemp("small")
    make(place)
    return place


def make(place: Path, **changes: Any) -> data.Data:
    wanted: dict[str, Any] = {
        "shards": None,
        "split": "train",
        "images": 300,
        "side": 64,
        "codecs": {"raw", "jpeg"},
        "say": lambda _: None,
    }
    return data.make(place, **(wanted | changes))


def small_job(small: Path) -> Job:
    raw = str(small / "raw")
    return Job(OURS, "raw-u8", raw, raw, "train", str(small / "forms"), 2, 32, 56)


def test_the_shards_hold_the_pictures(small: Path) -> None:
    found = make(small)
    assert (found.images, found.side) == (300, 64)
    expected = {images.picture(i, 64).tobytes() for i in range(300)}
    shards = [tensors(path) for path in sorted((small / "raw").glob("*.safetensors"))]
    held = {image.tobytes() for shard in shards for image in shard["images"]}
    assert held == expected
    labels = np.concatenate([shard["labels"] for shard in shards])
    assert np.bincount(labels).tolist() == [3] * 100


def test_a_photograph_like_picture_takes_what_a_photograph_takes(tmp_path: Path) -> None:
    found = make(tmp_path, images=20, side=256, codecs={"jpeg"})
    assert 15_000 < found.jpeg_bytes < 25_000


def test_kept_data_are_taken_again_and_no_others(small: Path, tmp_path: Path) -> None:
    before = (small / "raw" / "manifest.json").stat().st_mtime_ns
    make(small)
    assert (small / "raw" / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="data of another benchmark"):
        make(small, images=301)
    (tmp_path / "letter").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        make(tmp_path)
    assert (tmp_path / "letter").read_text() == "mine"


def test_own_shards_are_read_where_they_are(small: Path, tmp_path: Path) -> None:
    found = make(tmp_path, shards=small / "jpeg")
    assert found.shards == {"jpeg": small / "jpeg", "raw": tmp_path / "raw"}
    assert found.images == 300
    with pytest.raises(ValueError, match="has no split 'val'; it has: train"):
        make(tmp_path / "other", shards=small / "jpeg", split="val")


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has room for") as caught:
        make(tmp_path, images=10**9, side=256)
    assert "--keep" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# The command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peers", "ffvc"], "no loader is called 'ffvc': choose from ffcv, dali"),
        (["--work", "raw,u9"], "no work is called 'u9': choose from raw, raw-u8"),
        (["--rounds", "0"], "an integer of at least 1, not '0'"),
        (["--threads", "two"], "an integer of at least 1, not 'two'"),
        (["--seconds", "-1"], "seconds above 0"),
        (["--seconds", "nan"], "seconds above 0"),
    ],
)
def test_wrong_arguments_are_answered_with_the_right_ones(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_missing_shards_and_large_windows_are_errors(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--shards", str(tmp_path / "none"), "--peers", ""]) == 2
    assert "none" in capsys.readouterr().err
    options = ["--shards", str(small / "raw"), "--peers", "", "--keep", str(tmp_path / "kept")]
    assert cli.main([*options, "--crop", "65", "--work", "raw"]) == 2
    assert "--crop 65: the records are 64 pixels" in capsys.readouterr().err


def test_a_run_without_peers(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--images", "300", "--side", "64", "--keep", str(small), "--batch-size", "64"]
    options += ["--rounds", "2", "--seconds", "0.05", "--peers", "loader-bench"]
    assert cli.main([*options, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ours = [row for row in rows if row["loader"] == OURS]
    assert [row["work"] for row in ours] == list(WORKS)
    for row in ours:
        assert row["status"] == "measured"
        assert row["n"] >= 2
        assert row["min"] <= row["images_per_second"] <= row["max"]
        assert row["images_per_second"] > 100
        assert row["cpu_seconds_per_1000_images"] > 0
        assert (row["images"], row["batch_size"], row["crop"]) == (300, 64, 56)
    rust = {row["work"]: row for row in rows if row["loader"] == RUST}
    assert set(rust) == set(WORKS)
    assert all(row["status"] == "measured" for row in rust.values())
    assert rust["raw"]["n"] == 2
    assert rust["raw"]["ratio"] > 0.05


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_bench_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    options = ["--images", "300", "--side", "64", "--peers", "", "--rounds", "1000", "--work", "raw-u8"]
    command = [sys.executable, "-m", "shardmill.bench", *options]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as bench:
        assert bench.stderr
        started: list[int] = []
        for line in bench.stderr:
            if "round 1 of" in line:
                started = worker._descendants(bench.pid)
                break
        assert len(started) == 1
        assert len(list(tmp_path.iterdir())) == 1
        bench.terminate()
        assert bench.wait(20) == 143
    assert until(lambda: not any(worker._fields(pid) for pid in started))
    assert list(tmp_path.iterdir()) == []
