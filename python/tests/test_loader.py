"""The batches of a loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import shardmill
from shardmill import CenterCrop, ColorJitter, RandomCrop, RandomResizedCrop, TenViews, TwoViews

from conftest import CLASSES, SAMPLES, SIDE, picture


def whole(loader: shardmill.Loader) -> np.ndarray:
    return np.concatenate([images.copy() for images, _ in loader])


def test_five_lines(shards: Path) -> None:
    loader = shardmill.Loader(shards, split="train", batch_size=32, crop=32)
    assert len(loader) == 5
    seen = []
    for images, labels in loader:
        assert images.dtype == np.float32
        assert images.shape[1:] == (3, 32, 32)
        assert labels.dtype == np.int64
        assert len(images) == len(labels)
        seen.append(len(images))
    assert seen == [32, 32, 32, 32, 3]


def test_the_centre_is_the_records_middle_in_every_output_and_layout(shards: Path) -> None:
    middle = slice(4, SIDE - 4)
    for output, kind in (("uint8", np.uint8), ("float32", np.float32), ("float16", np.float16)):
        for layout in ("nchw", "nhwc"):
            loader = shardmill.Loader(
                shards, augment=CenterCrop(SIDE - 8), output=output, layout=layout, order="sequential"
            )
            batch = next(iter(loader))
            assert batch.images.dtype == kind
            images = batch.images.transpose(0, 2, 3, 1) if layout == "nchw" else batch.images
            for image, index in zip(images, batch.indices, strict=True):
                number = int(batch.keys[list(batch.indices).index(index)][-8:-4])
                np.testing.assert_array_equal(image, picture(number)[middle, middle].astype(kind))


def test_bfloat16_has_the_upper_bits_of_float32(shards: Path) -> None:
    make = {"augment": RandomCrop(24), "seed": 5, "normalize": "imagenet"}
    narrow = next(iter(shardmill.Loader(shards, output="bfloat16", **make))).images
    full = next(iter(shardmill.Loader(shards, output="float32", **make))).images
    assert isinstance(narrow, shardmill.BFloat16Array)
    assert narrow.shape == full.shape
    assert narrow.__dlpack_device__() == (1, 0)
    bits = full.view(np.uint32)
    # To nearest, ties to even.
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    np.testing.assert_array_equal(narrow.bits, rounded.astype(np.uint16))


def test_threads_change_nothing_and_seeds_do(shards: Path) -> None:
    def epoch(threads: int, seed: int) -> np.ndarray:
        return whole(shardmill.Loader(shards, batch_size=17, crop=24, threads=threads, seed=seed))

    first = epoch(0, 1)
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(first, epoch(threads, 1))
    assert not np.array_equal(first, epoch(2, 2))


def test_every_sample_comes_once_and_epochs_differ(shards: Path) -> None:
    loader = shardmill.Loader(shards, batch_size=20, crop=24)
    orders = []
    for _ in range(3):
        keys = [key for batch in loader for key in batch.keys]
        assert len(set(keys)) == len(keys) == SAMPLES
        orders.append(keys)
    assert orders[0] != orders[1] != orders[2]
    assert loader.epoch == 3
    loader.set_epoch(1)
    assert [key for batch in loader for key in batch.keys] == orders[1]


def test_an_iteration_that_is_broken_off_begins_again(shards: Path) -> None:
    loader = shardmill.Loader(shards, batch_size=20, crop=24)
    first = next(iter(loader)).keys
    assert loader.epoch == 0
    assert next(batch.keys for batch in list(loader)) == first
    assert loader.epoch == 1


def test_bytes_and_shift_make_the_floats(shards: Path) -> None:
    mean, std = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
    make = {"augment": RandomCrop(24, color_std=0.3), "seed": 9, "normalize": (mean, std), "layout": "nhwc"}
    floats = next(iter(shardmill.Loader(shards, **make)))
    bytes_ = next(iter(shardmill.Loader(shards, output="uint8", **make)))
    assert floats.color_shift.shape == (0, 3)
    assert np.abs(bytes_.color_shift).max() > 0.01
    finished = (bytes_.images - np.float32(mean)) / np.float32(std) + bytes_.color_shift[:, None, None]
    np.testing.assert_allclose(finished, floats.images, atol=2e-5)
    np.testing.assert_array_equal(bytes_.areas, floats.areas)
    for image, (top, left, height, width, flip), key in zip(bytes_.images, bytes_.areas, bytes_.keys, strict=True):
        assert (height, width) == (24, 24)
        window = picture(int(key[-8:-4]))[top : top + height, left : left + width]
        np.testing.assert_array_equal(image, window[:, ::-1] if flip else window)


def test_views_stand_on_an_axis_of_their_own(shards: Path) -> None:
    make = {"batch_size": 16, "seed": 4, "output": "uint8"}
    one = next(iter(shardmill.Loader(shards, augment=RandomCrop(24), **make))).images
    two = next(iter(shardmill.Loader(shards, augment=RandomCrop(24), views=2, **make))).images
    assert two.shape == (16, 2, 3, 24, 24)
    np.testing.assert_array_equal(two[:, 0], one)
    assert not np.array_equal(two[:, 1], one)
    ten = next(iter(shardmill.Loader(shards, augment=TenViews(24), **make))).images
    assert ten.shape == (16, 10, 3, 24, 24)
    np.testing.assert_array_equal(ten[:, 5:], ten[:, :5, :, :, ::-1])
    pair = next(iter(shardmill.Loader(shards, augment=TwoViews(24), **make))).images
    np.testing.assert_array_equal(pair[:, 0], ten[:, 4])


def test_the_defaults_follow_the_split(tmp_path: Path) -> None:
    from conftest import samples

    halves = [(image, label, key, "train" if i % 2 else "val") for i, (image, label, key) in enumerate(samples())]
    shardmill.write(tmp_path / "shards", halves, classes=CLASSES, size=SIDE)
    train = shardmill.Loader(tmp_path / "shards", crop=24)
    val = shardmill.Loader(tmp_path / "shards", split="val", crop=24)
    assert isinstance(train.augment, RandomCrop)
    assert isinstance(val.augment, CenterCrop)
    assert [i for batch in val for i in batch.indices] == list(range(val.samples))
    assert [i for batch in train for i in batch.indices] != list(range(train.samples))


def test_orders(shards: Path) -> None:
    def order(given: object) -> list[int]:
        return [int(i) for batch in shardmill.Loader(shards, crop=24, order=given) for i in batch.indices]

    assert order("sequential") == list(range(SAMPLES))
    blocks = order(shardmill.Blocks(10, 1))
    assert sorted(blocks) == list(range(SAMPLES))
    assert {i // 10 for i in blocks[:10]} == {blocks[0] // 10} or SAMPLES // 10 in {i // 10 for i in blocks[:10]}
    assert order("blocks") != order("global")


def test_parts_and_mixes(shards: Path) -> None:
    whole_set = shardmill.Dataset(shards)
    few = whole_set.filter_classes(["class2", 5])
    assert {label for _, labels in shardmill.Loader(few, crop=24) for label in labels} == {2, 5}
    assert {label for _, labels in shardmill.Loader(shards, crop=24, classes=[3]) for label in labels} == {3}
    mix = shardmill.Loader([(few, 3), (shards, 1)], crop=24, batch_size=64, samples=400)
    assert mix.samples == 400
    places = [mix.locate(i)[0] for batch in mix for i in batch.indices]
    assert places.count(0) / len(places) == pytest.approx(0.75, abs=0.03)
    dataset, sample = mix.locate(len(few))
    assert (dataset, sample) == (1, 0)


def test_jitter_resized_crops_and_shared_draws_do_what_they_say(shards: Path) -> None:
    def images(**more: object) -> np.ndarray:
        return next(iter(shardmill.Loader(shards, output="uint8", batch_size=32, **more))).images

    plain = images(augment=RandomResizedCrop(24))
    assert not np.array_equal(plain, images(augment=RandomResizedCrop(24), color_jitter=ColorJitter(hue=0.4)))
    assert not np.array_equal(plain, images(augment=RandomResizedCrop(24, scale=(0.5, 1.0))))
    shared = next(iter(shardmill.Loader(shards, augment=RandomCrop(24), batch_size=32, draw_every=32)))
    assert len({tuple(area) for area in shared.areas.tolist()}) == 1


def test_the_last_batch(shards: Path) -> None:
    def sizes(last: str) -> list[tuple[int, int]]:
        loader = shardmill.Loader(shards, crop=24, batch_size=50, last_batch=last)
        return [(len(batch.labels), batch.valid) for batch in loader]

    assert sizes("keep") == [(50, 50), (50, 50), (31, 31)]
    assert sizes("drop") == [(50, 50), (50, 50)]
    assert sizes("pad") == [(50, 50), (50, 50), (50, 31)]


def test_codecs_give_the_same_keys_and_near_pixels(shards: Path, jpegs: Path) -> None:
    make = {"augment": CenterCrop(32), "order": "sequential", "output": "uint8"}
    raw = next(iter(shardmill.Loader(shards, **make)))
    jpeg = next(iter(shardmill.Loader(jpegs, **make)))
    assert raw.keys == jpeg.keys
    assert 0 < np.abs(raw.images.astype(int) - jpeg.images).mean() < 30


def test_stats_say_where_the_time_went(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=24, batch_size=20)
    assert loader.stats() == {}
    for _ in loader:
        pass
    stats = loader.stats()
    assert (stats["epoch"], stats["batches"], stats["samples"], stats["replaced"]) == (0, 7, SAMPLES, 0)
    assert stats["wall"] >= stats["wait"] > 0
    assert stats["augment"] > 0
    assert isinstance(stats["verdict"], str)
    for _ in loader:
        break
    assert (loader.stats()["epoch"], loader.stats()["batches"]) == (1, 1)


def test_a_transform_changes_samples_and_may_draw(shards: Path) -> None:
    seen = []

    def brighten(image: np.ndarray, sample: shardmill.Sample) -> np.ndarray:
        seen.append(sample)
        return image // 2 + np.uint8(np.random.default_rng(sample.seed).integers(8))

    def epoch(threads: int) -> np.ndarray:
        make = {"augment": CenterCrop(SIDE), "output": "uint8", "layout": "nhwc", "seed": 3}
        return whole(shardmill.Loader(shards, threads=threads, transform=brighten, batch_size=10, **make))

    first = epoch(0)
    np.testing.assert_array_equal(first, epoch(3))
    assert {sample.key for sample in seen} == set(shardmill.Dataset(shards).keys)
    assert first[0].max() <= 255 // 2 + 7

    def in_place(image: np.ndarray, _: shardmill.Sample) -> None:
        image[:] = 7

    loader = shardmill.Loader(shards, augment=CenterCrop(8), output="uint8", transform=in_place)
    assert {int(value) for images, _ in loader for value in np.unique(images)} == {7}


def test_a_transforms_exception_is_the_cause(shards: Path) -> None:
    def bad(image: np.ndarray, sample: shardmill.Sample) -> None:
        raise KeyError("mine")

    for threads in (0, 2):
        with pytest.raises(shardmill.TransformError, match="class") as caught:
            next(iter(shardmill.Loader(shards, crop=24, transform=bad, threads=threads)))
        assert isinstance(caught.value.__cause__, KeyError)
        assert caught.value.key in shardmill.Dataset(shards).keys

    def flatten(image: np.ndarray, _: shardmill.Sample) -> None:
        image.shape = (-1,)

    with pytest.raises(shardmill.TransformError, match="uint8 of shape"):
        next(iter(shardmill.Loader(shards, crop=24, transform=flatten)))
    for wrong in (np.zeros((2, 2, 3), np.uint8), np.zeros((SIDE, SIDE, 3)), "nothing"):
        with pytest.raises(shardmill.TransformError, match="uint8 of shape"):
            next(iter(shardmill.Loader(shards, crop=24, transform=lambda *_, wrong=wrong: wrong)))


def test_a_rebuilt_batch_says_so(shards: Path) -> None:
    batch = next(iter(shardmill.Loader(shards, crop=24)))
    rebuilt = type(batch)((batch.images * 2, batch.labels))
    assert rebuilt.labels is batch.labels
    with pytest.raises(AttributeError, match="a copy of the images and labels alone"):
        _ = rebuilt.keys


def test_mean_and_deviation_are_there_for_those_who_finish_bytes(shards: Path) -> None:
    assert shardmill.Loader(shards, crop=24).mean == (0, 0, 0)
    loader = shardmill.Loader(shards, "train", crop=24, normalize="dataset", output="uint8")
    statistics = loader.datasets[0].statistics
    assert (loader.mean, loader.std) == (statistics.mean, statistics.std)
    assert next(iter(loader)).indices.dtype == np.int64
    assert repr(next(iter(loader))).startswith("Batch(images: uint8 [128, 3, 24, 24], labels: int64 [128], epoch 0")
