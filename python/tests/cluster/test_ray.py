"""Ingests on a Ray cluster of three nodes on this machine: nodes, workers and drivers die, and the bytes stay those of
one machine. ``just ray`` runs these tests; elsewhere they are skipped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import shardmill
from shardmill import ray_ingest
from shardmill.ray_ingest import driver

ray = pytest.importorskip("ray", reason="Ray is not installed (just ray)")

from ray.cluster_utils import Cluster  # noqa: E402

OPTIONS: dict[str, Any] = {"size": 48, "shard_records": 12, "val_fraction": 0.1, "seed": 3, "codec": "zstd"}
#: Seconds for an ingest that takes some.
LONGEST = 240


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 120 images that take a while to decode, one that is broken and one that is empty."""
    folder = tmp_path_factory.mktemp("source")
    draw = np.random.default_rng(0)
    for number in range(240):
        place = folder / "train" / ("cat", "dog")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        if number < 16:
            tile = draw.integers(0, 256, (240, 240, 3), np.uint8)
            Image.fromarray(np.tile(tile, (10, 10, 1))).save(place, compress_level=1)
        else:
            os.link(folder / "train" / ("cat", "dog")[number % 2] / f"{number % 16}.png", place)
    (folder / "train" / "cat" / "broken.png").write_bytes(b"no image")
    (folder / "train" / "dog" / "empty.png").write_bytes(b"")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that one machine makes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    summary = shardmill.ingest(source, out, progress=False, **OPTIONS)
    assert summary["rejects"] == {"empty": 1, "not-an-image": 1}
    found = files(out)
    assert len(found) > 20
    return found


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes of one CPU, to which this process is connected."""
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    try:
        started.others = [started.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
        started.wait_for_nodes()
        ray.init(address=started.address, log_to_driver=True)
        yield started
    finally:
        ray.shutdown()
        started.shutdown()


class Running:
    """An ingest on another thread, and the unfinished files that were seen meanwhile."""

    def __init__(self, source: Path, out: Path, **more: Any) -> None:
        self.out, self.lines, self.attempts = out, [], set[str]()
        self.result: dict[str, Any] | BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(source, OPTIONS | more))
        self._thread.start()

    def _run(self, source: Path, options: dict[str, Any]) -> None:
        try:
            self.result = ray_ingest.ingest(source, self.out, say=self.lines.append, **options)
        except BaseException as error:  # noqa: BLE001
            self.result = error

    def look(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.attempts |= {path.name for path in self.out.iterdir() if path.name.endswith(".part")}

    def wait_for(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + LONGEST
        while not what():
            self.look()
            assert time.monotonic() < end, self.lines
            assert self._thread.is_alive(), (self.result, self.lines)
            time.sleep(0.002)

    def finished(self) -> int:
        """Shards that the journal names."""
        with contextlib.suppress(FileNotFoundError):
            return max(0, (self.out / "ingest-0-of-1.journal").read_bytes().count(b"\n") - 1)
        return 0

    def join(self) -> dict[str, Any]:
        end = time.monotonic() + LONGEST
        while self._thread.is_alive():
            self.look()
            assert time.monotonic() < end, self.lines
            time.sleep(0.002)
        if isinstance(self.result, BaseException):
            raise self.result
        assert self.result is not None
        return self.result

    def again(self) -> set[str]:
        """The shards that were begun more than once."""
        shards = [name.rsplit(".", 2)[0] for name in self.attempts if "safetensors" in name]
        return {shard for shard in shards if shards.count(shard) > 1}


def test_a_node_dies_in_the_middle(
    cluster: Any, source: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_LINE_EVERY", 0.5)
    running = Running(source, tmp_path / "out")
    running.wait_for(lambda: running.finished() >= 4)
    cluster.remove_node(cluster.others[0], allow_graceful=False)
    summary = running.join()
    print("\n".join(running.lines))
    assert files(tmp_path / "out") == whole
    assert summary["rejects"] == {"empty": 1, "not-an-image": 1}
    assert any("a second" in line and "to go" in line for line in running.lines), running.lines
    assert running.again(), "no shard was made again"


def test_a_worker_is_killed_in_the_middle(cluster: Any, source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    running = Running(source, tmp_path / "out")
    killed = 0
    while killed < 3:
        before = running.finished()
        running.wait_for(lambda before=before: running.finished() > before)
        running.wait_for(lambda: writers(tmp_path / "out"))
        for process in writers(tmp_path / "out")[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                killed += 1
    running.join()
    assert files(tmp_path / "out") == whole
    assert running.again(), "no shard was made again"


def writers(folder: Path) -> list[int]:
    """The processes that hold an unfinished shard open."""
    found = []
    for links in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            for link in links.iterdir():
                target = os.readlink(link)
                if target.startswith(str(folder)) and target.endswith(".part"):
                    found.append(int(links.parent.name))
    return found


def test_errors_name_the_image_and_keep_what_is_finished(
    cluster: Any, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(shardmill.PrepareError, match=r"more than 0 images could not be used") as caught:
        ray_ingest.ingest(source, out, max_rejects=0, **OPTIONS)
    assert "(" in str(caught.value)
    with pytest.raises(shardmill.PrepareError, match=r"(broken|empty)\.png: .*on the node"):
        ray_ingest.ingest(source, out, on_error="stop", **OPTIONS)
    # Without a limit the same ingest goes on.
    ray_ingest.ingest(source, out, **OPTIONS)
    assert files(out) == whole
    again = ray_ingest.ingest(source, out, **OPTIONS)
    assert again["was_complete"]
    assert files(out) == whole


def test_a_killed_driver_is_resumed_by_one_machine(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--size", "48", "--shard-records", "12", "--val-fraction", "0.1", "--seed", "3", "--codec", "zstd"]
    words = [sys.executable, "-m", "shardmill", "ray-ingest", str(source), "--out", str(out), *options, "--json"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    journal, end = out / "ingest-0-of-1.journal", time.monotonic() + LONGEST
    while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
        assert child.poll() is None, child.stdout and child.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.01)
    child.kill()
    child.wait()
    summary = shardmill.ingest(source, out, progress=False, **OPTIONS)
    assert any("were kept" in note for note in summary["notes"])
    assert files(out) == whole
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LONGEST)
    assert json.loads(done.stdout.splitlines()[-1])["was_complete"]
