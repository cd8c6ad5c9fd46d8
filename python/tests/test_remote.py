"""Datasets in an object store: what a loader gives is what it gives of the folder."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import SAMPLES

ORDERS = ["global", "shards:2", "sequential"]


def run(script: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def epoch_of(loader: shardmill.Loader) -> list[tuple[bytes, bytes, list[str]]]:
    """What is left of an epoch, in bytes."""
    return [(batch.images.tobytes(), batch.labels.tobytes(), batch.keys) for batch in loader]


def shard_bytes(folder: Path) -> list[int]:
    """The sizes of a dataset's shards."""
    return [shard.stat().st_size for shard in folder.glob("*.safetensors")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_an_epoch_is_that_of_the_folder(
    shards: Path, jpegs: Path, store: dict[str, str], tmp_path: Path, codec: str, order: str
) -> None:
    make = {"crop": 24, "batch_size": 20, "threads": 2, "seed": 7, "order": order}
    local = shardmill.Loader({"raw": shards, "jpeg": jpegs}[codec], **make)
    remote = shardmill.Loader(store[codec], cache_dir=tmp_path, cache_bytes=10**9, **make)
    for _ in range(2):
        assert epoch_of(remote) == epoch_of(local)
    assert remote.epoch == 2


def test_a_dataset_is_read_record_by_record(shards: Path, store: dict[str, str], tmp_path: Path) -> None:
    local = shardmill.Dataset(shards)
    # With a slash at the end, as a shell completes a folder.
    remote = shardmill.Dataset(store["raw"] + "/", "train", cache_dir=tmp_path / "cache")
    assert remote.path == store["raw"]
    assert len(remote) == SAMPLES
    assert remote.keys == local.keys
    assert remote.manifest == local.manifest
    assert (remote.labels == local.labels).all()
    assert remote.stored(3) == local.stored(3)
    for index in (0, 60, -1):
        np.testing.assert_array_equal(remote[index][0], local[index][0])
    few = remote.select([5, 130, 5, *range(40)]).filter_classes([5, 4])
    expected = local.select([5, 130, 5, *range(40)]).filter_classes([5, 4])
    for (image, label), (other, other_label) in zip(
        few.__getitems__(range(len(few))), expected.__getitems__(range(len(few))), strict=True
    ):
        np.testing.assert_array_equal(image, other)
        assert label == other_label
    assert remote.__getitems__([]) == []
    # None of this needs whole shards.
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("order", ORDERS)
def test_a_state_goes_on_wherever_the_shards_are(
    shards: Path, store: dict[str, str], tmp_path: Path, order: str
) -> None:
    make = {"crop": 24, "threads": 2, "seed": 7, "order": order}
    places = [{"data": shards}, {"data": store["raw"], "cache_dir": tmp_path}]
    for first in places:
        for second in places:
            whole = shardmill.Loader(batch_size=20, **first, **make)
            iteration = iter(whole)
            next(iteration), next(iteration)
            state = json.loads(json.dumps(whole.state_dict()))
            keys = [key for batch in iteration for key in batch.keys]
            other = shardmill.Loader(batch_size=9, **second, **make)
            other.load_state_dict(state)
            assert [key for batch in other for key in batch.keys] == keys
            assert len(keys) == SAMPLES - 40


def test_the_order_of_shards_belongs_to_a_state(shards: Path) -> None:
    state = shardmill.Loader(shards, crop=24, order="shards:2").state_dict()
    assert state["identity"]["order"] == "shards 2"
    with pytest.raises(shardmill.StateError, match="order=shards 2, but this loader has order=shards 8"):
        shardmill.Loader(shards, crop=24, order="shards").load_state_dict(state)
    with pytest.raises(shardmill.StateError, match="order=global"):
        shardmill.Loader(shards, crop=24).load_state_dict(state)
    # As earlier releases wrote it.
    blocks = shardmill.Loader(shards, crop=24, order="blocks:16x4").state_dict()
    assert blocks["identity"]["order"] == "blocks 16 4"
    shardmill.Loader(shards, crop=24, order=shardmill.Blocks(16, 4)).load_state_dict(blocks)


def test_a_cache_holds_no_more_than_it_may(shards: Path, store: dict[str, str], tmp_path: Path) -> None:
    sizes = shard_bytes(shards)
    assert len(sizes) == 3
    make = {"crop": 24, "batch_size": 10, "threads": 1, "cache_dir": tmp_path, "cache_bytes": 2 * max(sizes) + 1000}
    loader = shardmill.Loader(store["raw"], order="shards:1", **make)
    local = shardmill.Loader(shards, crop=24, batch_size=10, order="shards:1")
    for _ in range(3):
        assert epoch_of(loader) == epoch_of(local)
        held = sum(file.stat().st_size for file in tmp_path.rglob("*.shard"))
        assert 0 < held <= make["cache_bytes"]
    loader.close()
    with pytest.raises(shardmill.CacheError, match=r'give cache_bytes .* or more, or .* order="shards"') as caught:
        next(iter(shardmill.Loader(store["raw"], order="global", **make)))
    assert isinstance(caught.value, ValueError)
    assert "--" not in str(caught.value)
    with pytest.raises(shardmill.CacheError, match=r"cache_bytes \d+; \d+ was given: give the same"):
        next(iter(shardmill.Loader(store["raw"], **{**make, "cache_bytes": 10**9})))


def test_training_and_evaluation_in_turns_need_room_for_one(
    shards: Path, jpegs: Path, store: dict[str, str], tmp_path: Path
) -> None:
    cache = {"cache_dir": tmp_path, "cache_bytes": sum(shard_bytes(shards)) + 1000}
    make = {"crop": 24, "batch_size": 20, "threads": 1}
    training = shardmill.Loader(store["raw"], order="global", **make, **cache)
    evaluation = shardmill.Loader(store["jpeg"], order="sequential", **make, **cache)
    for epoch in range(2):
        for remote, folder, order in ((training, shards, "global"), (evaluation, jpegs, "sequential")):
            local = shardmill.Loader(folder, order=order, **make)
            local.set_epoch(epoch)
            assert epoch_of(remote) == epoch_of(local)


RANK = """
import hashlib, sys, shardmill
loader = shardmill.Loader(sys.argv[1], crop=24, batch_size=8, threads=2, seed=7, order="shards:2",
                          rank=int(sys.argv[3]), world_size=2, cache_dir=sys.argv[2], cache_bytes=int(sys.argv[4]))
print("ready", flush=True)
sys.stdin.readline()
for epoch in range(2):
    digest = hashlib.blake2b()
    for batch in loader:
        digest.update(batch.images.tobytes() + batch.labels.tobytes() + repr(batch.keys).encode())
    print(digest.hexdigest(), flush=True)
"""


def test_two_processes_share_a_cache(shards: Path, store: dict[str, str], tmp_path: Path) -> None:
    room = sum(shard_bytes(shards)) + 1000
    command = [sys.executable, "-c", RANK, store["raw"], str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([*command, str(rank), str(room)], **pipes) for rank in range(2)]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * 2
        found = [child.communicate("go\n", timeout=120)[0].split() for child in children]
    finally:
        for child in children:
            child.kill()
    for rank, digests in enumerate(found):
        local = shardmill.Loader(
            shards, crop=24, batch_size=8, seed=7, order="shards:2", rank=rank, world_size=2, threads=0
        )
        expected = []
        for _ in range(2):
            digest = hashlib.blake2b()
            for batch in local:
                digest.update(batch.images.tobytes() + batch.labels.tobytes() + repr(batch.keys).encode())
            expected.append(digest.hexdigest())
        assert digests == expected


FORKED = """
import os, sys, shardmill
address, folder, cache = sys.argv[1:]
make = dict(crop=24, batch_size=10, order="shards:2", cache_dir=cache)
expected = [batch.images.tobytes() for batch in shardmill.Loader(folder, crop=24, batch_size=10, order="shards:2")]
loader = shardmill.Loader(address, **make)
iteration = iter(loader)
first = next(iteration).images.tobytes()
dataset = shardmill.Dataset(address)
image = dataset[3][0].tobytes()
children = []
for number in range(2):
    child = os.fork()
    if child == 0:
        try:
            next(iteration)
        except shardmill.ForkedError as error:
            assert "num_workers=0" in str(error), error
        else:
            os._exit(1)
        assert dataset[3][0].tobytes() == image
        # Over the parent's cache, whose keeper the parent is.
        assert [batch.images.tobytes() for batch in shardmill.Loader(address, **make)] == expected
        del iteration, loader
        sys.exit(0)
    children.append(child)
for child in children:
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
assert [first, *(batch.images.tobytes() for batch in iteration)] == expected
assert dataset[3][0].tobytes() == image
print("all went on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_connections_of_its_own(shards: Path, store: dict[str, str], tmp_path: Path) -> None:
    done = run(FORKED, store["raw"], shards, tmp_path)
    assert (done.returncode, done.stdout) == (0, "all went on\n"), done.stderr


def test_a_pickled_dataset_keeps_its_cache_and_no_secret(
    store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = shardmill.Dataset(store["raw"], cache_dir="cache", cache_bytes=10**9).select(range(9, 19))
    pickled = pickle.dumps(dataset)
    loader = shardmill.Loader(dataset, crop=24, augment="fixed_crop")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        secret = os.environ[name]
        assert secret.encode() not in pickled
        for text in (repr(dataset), repr(loader), json.dumps(loader.state_dict()), json.dumps(dataset.manifest)):
            assert secret not in text
    # The working directory of a worker process may be another.
    monkeypatch.chdir(tmp_path.parent)
    other = pickle.loads(pickled)
    assert other.path == store["raw"]
    assert other.keys == dataset.keys
    next(iter(shardmill.Loader(other, crop=24, augment="fixed_crop")))
    assert (tmp_path / "cache").is_dir()
    old = {name: value for name, value in dataset.__getstate__().items() if not name.startswith("cache")}
    older = shardmill.Dataset.__new__(shardmill.Dataset)
    older.__setstate__(old)
    assert older.keys == dataset.keys


def test_a_mix_of_a_folder_and_an_address(shards: Path, jpegs: Path, store: dict[str, str], tmp_path: Path) -> None:
    make = {"crop": 24, "batch_size": 16, "seed": 3, "threads": 2}
    local = shardmill.Loader([(shards, 1), (shards, 2)], **make)
    remote = shardmill.Loader([(shards, 1), (store["raw"], 2)], cache_dir=tmp_path, **make)
    assert epoch_of(remote) == epoch_of(local)
    # The end of an epoch is filled up from its beginning, whose shards may be gone.
    padded = {**make, "batch_size": 9, "rank": 1, "world_size": 2, "order": "shards:1"}
    local = shardmill.Loader(jpegs, **padded)
    remote = shardmill.Loader(store["jpeg"], cache_dir=tmp_path, **padded)
    assert epoch_of(remote) == epoch_of(local)
    assert next(iter(remote)).images.shape == (9, 3, 24, 24)


def test_the_cache_of_the_environment(store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDMILL_CACHE_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("SHARDMILL_CACHE_BYTES", "1M")
    loader = shardmill.Loader(store["raw"], crop=24, batch_size=50)
    assert sum(len(batch.labels) for batch in loader) == SAMPLES
    assert list((tmp_path / "here").rglob("*.shard"))
    monkeypatch.setenv("SHARDMILL_CACHE_BYTES", "much")
    with pytest.raises(shardmill.SettingError, match="SHARDMILL_CACHE_BYTES is much"):
        next(iter(shardmill.Loader(store["raw"], crop=24)))
