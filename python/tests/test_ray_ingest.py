"""Shards of one plan that several processes make, and the command ``shardmill ray-ingest`` without Ray. What needs a
cluster is in ``cluster/``."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import shardmill
from shardmill import _core
from shardmill.prepare import ingest_options, make_options
from shardmill.ray_ingest import cli
from shardmill.ray_ingest.report import Report
from shardmill.ray_ingest.worker import Finished, Order, Refused, make_shard

from conftest import picture, serving

OPTIONS: dict[str, Any] = {"size": 32, "shard_records": 8, "seed": 1}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 40 images, and one that is none."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(80):
        place = folder / "train" / ("cat", "dog")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number)).save(place)
    (folder / "train" / "cat" / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    shardmill.ingest(source, out, progress=False, **OPTIONS)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ordered(source: Path, out: str | Path, **more: Any) -> Order:
    """What a driver orders, with the options of the tests."""
    make = make_options(
        codec="raw",
        quality=None,
        size=OPTIONS["size"],
        resize="short-side",
        filter="bilinear",
        exif="ignore",
        truncated="reject",
        check="decoded",
        on_error="reject",
        shard_records=OPTIONS["shard_records"],
        threads=1,
        decode_memory=None,
    )
    args = ingest_options(
        layout=None,
        max_rejects=None,
        seed=OPTIONS["seed"],
        val_fraction=0.0,
        without=[],
        ignore_free_space=False,
        work=more.pop("work", None),
    )
    return Order(str(source), str(out), make | more, args)


def begin(order: Order) -> _core.SharedIngest:
    return _core.SharedIngest(order.source, order.out, order.make, order.args, None)


def test_shards_of_one_plan_are_the_bytes_of_one_machine(
    source: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ordered(source, tmp_path / "out")
    shared = begin(order)
    images = shared.images()
    assert sum(images) == 81
    assert len(images) == 11
    # Each task has its own images, and no others.
    assert sum(len(json.loads(shared.task(number))["entries"]) for number in range(len(images))) == 81
    for number in reversed(range(len(images))):
        made = make_shard(order, shared.plan(), shared.task(number), f"shard {number}")
        assert isinstance(made, Finished)
        shared.record(made.line)
    summary = json.loads(shared.finish())
    assert files(tmp_path / "out") == whole
    assert (summary["images"], summary["rejects"]) == (81, {"not-an-image": 1})
    assert "shard 10: made in" in capsys.readouterr().out
    complete = begin(order).complete
    assert complete is not None
    assert json.loads(complete)["was_complete"]


def test_objects_of_one_plan_are_the_bytes_of_one_machine(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "other").write_bytes(b"")
    with serving(served) as address:
        order = ordered(source, f"{address}/out", work=tmp_path / "work")
        shared = begin(order)
        for number in range(len(shared.images())):
            made = make_shard(order, shared.plan(), shared.task(number), "shard")
            assert isinstance(made, Finished), made
            shared.record(made.line)
        shared.finish()
        assert list((tmp_path / "work").iterdir()) == []
        manifest = shardmill.inspect(f"{address}/out")["manifest"]
        assert manifest == json.loads(whole["manifest.json"])
        assert shardmill.verify(f"{address}/out", progress=False)["faults"] == []


#: Makes the first task again and again, so that it is killed in the middle.
WORKER = """
import pickle, sys
from shardmill.ray_ingest.worker import make_shard
order, plan, task = pickle.load(sys.stdin.buffer)
while True:
    make_shard(order, plan, task, "shard")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of Unix")
def test_a_shard_of_a_killed_process_is_made_again(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    import pickle

    out = tmp_path / "out"
    order = ordered(source, out)
    shared = begin(order)
    left: set[str] = set()
    for number in range(len(shared.images())):
        child = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert child.stdin is not None
        with child.stdin:
            pickle.dump((order, shared.plan(), shared.task(number)), child.stdin)
        end = time.monotonic() + 60
        while not any(path.name.endswith(".part") for path in out.iterdir() if path.name not in left):
            assert child.poll() is None
            assert time.monotonic() < end
        child.send_signal(signal.SIGKILL)
        child.wait()
        left = {path.name for path in out.iterdir() if path.name.endswith(".part")}
        made = make_shard(order, shared.plan(), shared.task(number), "shard")
        assert isinstance(made, Finished)
        shared.record(made.line)
    assert left, "no process was killed in the middle"
    shared.finish()
    assert files(out) == whole


def test_what_cannot_be_made_is_refused_in_words(source: Path, tmp_path: Path) -> None:
    order = ordered(source, tmp_path / "out")
    shared = begin(order)
    other = ordered(source, tmp_path / "out", size=33)
    refused = make_shard(other, shared.plan(), shared.task(0), "shard")
    assert isinstance(refused, Refused)
    assert "size was 32 and is 33" in refused.text
    elsewhere = make_shard(ordered(source, tmp_path / "no"), shared.plan(), shared.task(0), "shard")
    assert isinstance(elsewhere, Refused)
    assert "shared file system" in elsewhere.text
    with pytest.raises(shardmill.PrepareError, match="another prep is using it"):
        begin(order)
    shared.abandon()
    shared.abandon()
    with pytest.raises(shardmill.PrepareError, match="complete already"):
        shared.images()
    # A later run finds it as it was left.
    again = begin(order)
    assert again.finished_before == 0
    with pytest.raises(shardmill.PrepareError, match="11 shards are not finished"):
        again.finish()


def run(*arguments: str) -> tuple[int, str, str]:
    words = [sys.executable, "-m", "shardmill", "ray-ingest", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_command_says_what_to_install(source: Path, tmp_path: Path) -> None:
    code, text, errors = run(str(source), "--out", str(tmp_path / "out"))
    assert (code, text) == (1, "")
    assert "pip install 'shardmill[ray]'" in errors
    assert not (tmp_path / "out").exists()


def test_wrong_arguments_are_refused_before_a_cluster_is_asked_for(tmp_path: Path) -> None:
    for arguments, said in (
        ([], "the following arguments are required: SRC, --out"),
        (["x", "--out", "y", "--seeed", "1"], "unrecognized arguments: --seeed 1"),
        (["x", "--out", "y", "--size", "big"], "invalid int value: 'big'"),
        (["x", "--out", "y", "--size", "0"], "size is 0"),
        (["x", "--out", "y", "--decode-memory", "much"], "'much' is no amount of memory"),
        (["x", "--out", "y", "--without", "all"], "without is ['all']"),
        (["x", "--out", "y", "--retries", "-2"], "retries is -2"),
        (["x", "--out", "y", "--cpus-per-shard", "0"], "cpus_per_shard is 0"),
    ):
        code, text, errors = run(*arguments)
        assert (code, text) == (2, ""), errors
        assert said in errors
    assert not Path("y").exists()


def test_the_command_has_the_options_of_an_ingest_with_their_defaults() -> None:
    script = [sys.executable, "-m", "shardmill", "prep", "ingest", "--help"]
    ingest = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    theirs = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", ingest, re.MULTILINE))
    parser = cli.parser()
    ours = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert theirs - ours == {"--part", "--threads"}
    assert ours - theirs == {"--address", "--cpus-per-shard", "--retries"}
    given = vars(parser.parse_args(["x", "--out", "y"]))
    for name, default in re.findall(r"(--[a-z-]+) <[^\n]*(?:\n(?! +-)[^\n]*)*?\[default: ([^\]]+)\]", ingest):
        if name in ours:
            assert str(given[name[2:].replace("-", "_")]) == (
                "0.0" if default == "0" and "fraction" in name else default
            )


def test_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lines: list[str] = []
    report = Report(lines.append)
    now[0] += 2
    report.begin([10, 20, 30], 1, 4, 3)
    now[0] += 5
    report.finished(1)
    assert not report.is_due(10.0)
    assert report.seconds_to_line(10.0) == 5.0
    report.line(2)
    assert lines == [
        "planned in 2.0 s: 3 shards of 60 images to make, 1 finished before; 4 CPUs a shard, 3 nodes",
        "1 node lost: Ray makes the shards that were made there again, on the others",
        "1 of 3 shards, 20 of 60 images, 4 a second, 10 s to go, 2 nodes",
    ]


def test_the_source_is_not_listed_by_a_task(source: Path, tmp_path: Path) -> None:
    """A task takes its images from the plan, also if the source has others meanwhile."""
    copy = tmp_path / "source"
    shutil.copytree(source, copy)
    order = ordered(copy, tmp_path / "out")
    shared = begin(order)
    (copy / "train" / "cat" / "new.png").write_bytes(b"")
    lines = []
    for number in range(len(shared.images())):
        made = make_shard(order, shared.plan(), shared.task(number), "shard")
        assert isinstance(made, Finished)
        lines.append(json.loads(made.line))
        shared.record(made.line)
    assert json.loads(shared.finish())["images"] == 81
    assert sum(line["entry"]["records"] for line in lines) == 80
