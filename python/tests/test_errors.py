"""Wrong usage gives an error that says what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import SAMPLES


def refused(kind: type[Exception], words: str, **settings: object) -> None:
    with pytest.raises(kind, match=words) as caught:
        shardmill.Loader(**settings)
    assert isinstance(caught.value, shardmill.ShardmillError)


def test_data_that_is_not_there(shards: Path, tmp_path: Path) -> None:
    refused(FileNotFoundError, "there is no folder", data=tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    refused(FileNotFoundError, "there is no folder", data=tmp_path / "link")
    refused(FileNotFoundError, "but .*/shards does: give that folder", data=shards.parent)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    refused(FileNotFoundError, r"caf\\udce9", data=odd)
    shutil.copytree(shards, odd)
    assert len(shardmill.Dataset(odd)) == SAMPLES
    (tmp_path / "empty").mkdir()
    refused(shardmill.DatasetNotFoundError, "holds no manifest.json.*prep ingest", data=tmp_path / "empty")
    refused(ValueError, 'no split "tset"; the dataset has "train"', data=shards, split="tset")
    refused(shardmill.UnknownSplitError, "val", data=shards, split="val")
    refused(shardmill.SettingError, "give a folder of shards", data=None)
    refused(shardmill.SettingError, "give a folder of shards", data=[shards])
    refused(shardmill.SettingError, "give a folder of shards", data=[])
    refused(shardmill.SettingError, "a weight is 0.5", data=[(shards, 0.5), (shards, 1)])
    refused(shardmill.SettingError, "a weight is 0", data=[(shards, 0)])
    refused(shardmill.SettingError, "split 'train'", data=shardmill.Dataset(shards), split="val")
    refused(shardmill.SettingError, "length of an epoch of several", data=shards, samples=10)
    broken = shutil.copytree(shards, tmp_path / "broken")
    (broken / "manifest.json").write_text("{")
    refused(shardmill.DamagedShardError, "manifest.json", data=broken)


def test_settings_without_sense(shards: Path) -> None:
    def wrong(words: str, **settings: object) -> None:
        refused(shardmill.SettingError, words, **{"data": shards, **settings})

    wrong("did you mean 'alexnet'", augment="alexnt")
    wrong("choose one of 'alexnet', 'random_crop'", augment=3)
    wrong("the window's side is 224; records are 40x40", augment="alexnet")
    wrong("the window's side is 41", crop=41)
    wrong("give one of the two", augment=shardmill.CenterCrop(8), crop=9)
    wrong("output is .f32. .did you mean .float32..", output="f32")
    wrong("did you mean 'nchw'", layout="nchv")
    wrong("framework is 'tensorflow'", framework="tensorflow")
    wrong("batch_size is 0; give an integer of at least 1", batch_size=0)
    wrong("batch_size is 2.5", batch_size=2.5)
    wrong("batch_size is True", batch_size=True)
    wrong("threads is -1", threads=-1)
    wrong("seed is -1", seed=-1)
    wrong("prefetch is None", prefetch=None)
    wrong("order is 'random'", order="random")
    wrong("last_batch is 'wrap'", last_batch="wrap")
    wrong("verify is 'always'", verify="always")
    wrong("on_bad_record is 'skip'", on_bad_record="skip")
    wrong("advice is 'maybe'", advice="maybe")
    wrong("multiply both by 255", normalize=((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    wrong("three numbers each", normalize=(1, 2))
    wrong("three numbers each", normalize=((1, 2), (3, 4, 5)))
    wrong("choose one of 'imagenet', 'dataset'", normalize="mean")
    wrong("std must be above 0", crop=8, normalize=((0, 0, 0), (1, 0, 1)))
    wrong("rank and world_size belong together", rank=1)
    wrong("ranks count from 0", crop=8, rank=2, world_size=2)
    wrong("ranks need equal batches", crop=8, rank=0, world_size=2, last_batch="keep")
    wrong("only the training policies", augment=shardmill.CenterCrop(8), draw_every=4)
    wrong("at most 0.5 for the hue", crop=8, color_jitter=shardmill.ColorJitter(hue=0.7))
    wrong("no class 'dog'", classes=["dog"])
    wrong("integer", crop=8, order=shardmill.Blocks(0, 3))
    for crop in ("32", -1, 0, 0.5, True):
        wrong("crop is", crop=crop)
    wrong("crop: the window's side", crop=1 << 40)
    wrong("flip is 'yes'", augment=shardmill.RandomCrop(8, flip="yes"))
    wrong("color_std is None", augment=shardmill.RandomCrop(8, color_std=None))
    wrong(r"scale is 0.5; give a pair \(least, largest\)", augment=shardmill.RandomResizedCrop(8, scale=0.5))
    wrong("scale: the window's scale", augment=shardmill.RandomResizedCrop(8, scale=(0.5, 2)))
    wrong("scale is nan", augment=shardmill.RandomResizedCrop(8, scale=(0.5, float("nan"))))
    wrong("color_jitter is 0.4", crop=8, color_jitter=0.4)
    wrong("hue is 'much'", crop=8, color_jitter=shardmill.ColorJitter(hue="much"))
    wrong("split is 1", split=1)
    wrong("transform is 3", crop=8, transform=3)
    wrong("classes is 'class1'; give a list", crop=8, classes="class1")
    wrong("classes is 5", crop=8, classes=5)
    wrong("last_batch is False", crop=8, last_batch=False)
    wrong("framework is ''", crop=8, framework="")
    wrong("color_std is nan", augment=shardmill.RandomCrop(8, color_std=float("nan")))
    wrong("color_std is -1", augment=shardmill.RandomCrop(8, color_std=-1))
    wrong("std must be above 0", crop=8, normalize=((0, 0, 0), (1, -1, 1)))
    wrong("three numbers each|finite", crop=8, normalize=((float("nan"), 0, 0), (1, 1, 1)))
    wrong("a weight is 4294967296", data=[(shards, 1 << 32), (shards, 1)])
    wrong("samples is -1", data=[(shards, 1), (shards, 1)], crop=8, samples=-1)
    wrong("has no whole batch of 200", crop=8, batch_size=200, last_batch="drop")
    with pytest.raises(TypeError, match="use RandomCrop"):
        shardmill.Augment(8)
    with pytest.raises(TypeError, match="select"):
        shardmill.Dataset(shards)[0:3]
    with pytest.raises(TypeError, match="bfloat16"):
        np.asarray(next(iter(shardmill.Loader(shards, crop=8, output="bfloat16"))).images)
    with pytest.raises(shardmill.DatasetNotFoundError, match="is a file"):
        shardmill.Dataset(shards / "manifest.json")
    for path in (None, 3, b"shards"):
        with pytest.raises(shardmill.SettingError, match="path is"):
            shardmill.Dataset(path)
    for name, words in (
        ("shuffle", "order="),
        ("num_workers", "threads="),
        ("drop_last", "last_batch"),
        ("sed", "seed"),
    ):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}': .*{words}"):
            shardmill.Loader(shards, **{name: True})


def test_views_are_for_training(shards: Path) -> None:
    refused(shardmill.SettingError, "views", data=shards, augment=shardmill.CenterCrop(8), views=2)
    refused(shardmill.SettingError, "views is 0", data=shards, crop=8, views=0)


def test_more_than_memory(shards: Path) -> None:
    refused(MemoryError, "threads", data=[(shards, 1), (shards, 1)], samples=1 << 40, crop=32, batch_size=1 << 36)


def damage(folder: Path) -> str:
    """Changes one byte of the third record; returns its key."""
    dataset = shardmill.Dataset(folder)
    stored, key = dataset.stored(3), dataset.key(3)
    for shard in folder.glob("*.safetensors"):
        data = shard.read_bytes()
        at = data.find(stored)
        if at >= 0:
            changed = bytearray(data)
            changed[at + 100] ^= 0xFF
            shard.write_bytes(changed)
            return key
    raise AssertionError("no shard holds the record")


def test_a_damaged_record_is_named_or_replaced(own: Path) -> None:
    key = damage(own)
    for threads in (0, 2):
        with pytest.raises(shardmill.DamagedRecordError, match="CRC-32C") as caught:
            for _ in shardmill.Loader(own, crop=24, threads=threads, batch_size=10):
                pass
        assert caught.value.key == key
        assert caught.value.shard.endswith(".safetensors")
        assert isinstance(caught.value.record, int)
    loader = shardmill.Loader(own, crop=24, on_bad_record="replace")
    replaced = [one for batch in loader for one in batch.replaced]
    assert len(replaced) == loader.stats()["replaced"] == 1
    assert shardmill.Dataset(own).key(replaced[0].bad) == key
    with pytest.raises(shardmill.DamagedRecordError):
        shardmill.Dataset(own)[3]


def test_after_a_damaged_record_the_epoch_is_over_but_not_done(own: Path) -> None:
    damage(own)
    loader = shardmill.Loader(own, crop=24, batch_size=10, seed=1)
    iteration = iter(loader)
    with pytest.raises(shardmill.DamagedRecordError):
        for _ in iteration:
            pass
    assert next(iteration, None) is None
    assert loader.epoch == 0
    assert loader.state_dict()["epoch"] == 0


def test_a_shard_that_is_cut_short(own: Path) -> None:
    loader = shardmill.Loader(own, crop=24, batch_size=SAMPLES, threads=0)
    shard = next(own.glob("*.safetensors"))
    with shard.open("r+b") as file:
        # Whole pages stay, so that the end is found by its length and not by a signal.
        file.truncate(os.path.getsize(shard) - 1)
    with pytest.raises(shardmill.TruncatedShardError, match="truncates shards") as caught:
        for _ in loader:
            pass
    assert caught.value.path == str(shard)
    with pytest.raises(shardmill.DamagedShardError):
        shardmill.Dataset(own)


def test_a_closed_loader_says_so(shards: Path) -> None:
    with shardmill.Loader(shards, crop=24, batch_size=10) as loader:
        iteration = iter(loader)
        next(iteration)
    with pytest.raises(shardmill.ClosedError, match="closed"):
        next(iteration)
    with pytest.raises(shardmill.ClosedError, match="make another"):
        iter(loader)


def test_a_loader_is_not_pickled(shards: Path) -> None:
    import pickle

    with pytest.raises(TypeError, match="num_workers=0"):
        pickle.dumps(shardmill.Loader(shards, crop=24))


def test_free_threaded_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib
    import sysconfig

    real = sysconfig.get_config_var
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else real(name))
    with pytest.raises(ImportError, match="free-threaded"):
        importlib.reload(shardmill)


def test_a_panic_is_an_exception(shards: Path) -> None:
    """Only misuse of the private module can cause a panic, and even then it must not end the process."""
    from shardmill import _core

    dataset = _core.Dataset(str(shards), "train", None, None)
    with pytest.raises((OverflowError, IndexError)):
        dataset.read(-1)
    with pytest.raises(IndexError):
        dataset.read(1 << 40)
    loader = shardmill.Loader(shards, crop=24)
    with pytest.raises(IndexError):
        loader.locate(SAMPLES)
    np.testing.assert_array_equal(dataset.read(0), shardmill.Dataset(shards)[0][0])
