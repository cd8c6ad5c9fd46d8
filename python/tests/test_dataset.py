"""Samples one by one."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import CLASSES, SAMPLES, SIDE, picture


def number(key: str) -> int:
    return int(key[-8:-4])


def test_samples_are_what_was_written(shards: Path) -> None:
    dataset = shardmill.Dataset(shards)
    assert len(dataset) == SAMPLES
    assert dataset.shape == (SIDE, SIDE, 3)
    assert dataset.codec == "raw"
    assert [one.synset for one in dataset.classes] == CLASSES
    assert dataset.labelled
    for i in (0, 7, SAMPLES - 1, -1, np.int64(3)):
        image, label = dataset[i]
        which = number(dataset.key(int(i)))
        np.testing.assert_array_equal(image, picture(which))
        assert label == which % len(CLASSES) == dataset.labels[i]
    for wrong in (SAMPLES, -SAMPLES - 1):
        with pytest.raises(IndexError, match=f"the dataset has {SAMPLES} samples"):
            dataset[wrong]
    with pytest.raises(TypeError):
        dataset["first"]
    # A loop ends by itself, as for any sequence.
    assert sum(1 for _ in dataset) == SAMPLES


def test_several_at_once(shards: Path) -> None:
    dataset = shardmill.Dataset(shards, transform=lambda image: image.mean())
    several = dataset.__getitems__([5, -1, 5])
    assert several == [dataset[5], dataset[SAMPLES - 1], dataset[5]]


def test_records_as_they_are_stored(shards: Path, jpegs: Path) -> None:
    assert shardmill.Dataset(jpegs).stored(0)[:2] == b"\xff\xd8"
    raw = shardmill.Dataset(shards)
    assert raw.stored(3) == picture(number(raw.key(3))).tobytes()


def test_statistics_are_those_of_the_pixels(shards: Path) -> None:
    statistics = shardmill.Dataset(shards).statistics
    pixels = np.stack([picture(i) for i in range(SAMPLES)]).reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(statistics.mean, pixels.mean(0), rtol=1e-9)
    np.testing.assert_allclose(statistics.std, pixels.std(0), rtol=1e-9)
    vectors = np.array(statistics.eigenvectors)
    rebuilt = vectors.T @ np.diag(statistics.eigenvalues) @ vectors
    np.testing.assert_allclose(rebuilt, np.cov(pixels.T, bias=True), rtol=1e-7, atol=1e-7)


def test_parts(shards: Path) -> None:
    dataset = shardmill.Dataset(shards)
    part = dataset.select([9, 2, -1])
    assert [part.key(i) for i in range(3)] == [dataset.key(9), dataset.key(2), dataset.key(SAMPLES - 1)]
    few = dataset.filter_classes(["class1", 4])
    assert set(few.labels.tolist()) == {1, 4}
    assert len(few.select([0])) == 1
    with pytest.raises(IndexError):
        dataset.select([SAMPLES])
    with pytest.raises(shardmill.SettingError, match="no class 7: the dataset has 7"):
        dataset.filter_classes([7])
    with pytest.raises(
        shardmill.SettingError, match=r"no class 'clas1' .did you mean 'class1'.*; the classes are 'class0'"
    ):
        dataset.filter_classes(["clas1"])


def mean_of(image: np.ndarray) -> float:
    return float(image.mean())


def read_there(dataset: shardmill.Dataset, index: int) -> tuple[object, int, str]:
    image, label = dataset[index]
    return image, label, dataset.key(index)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_datasets_travel_to_other_processes(shards: Path, method: str) -> None:
    dataset = shardmill.Dataset(shards, transform=mean_of).filter_classes([2, 3])
    again = pickle.loads(pickle.dumps(dataset))
    assert again[4] == dataset[4]
    with multiprocessing.get_context(method).Pool(2) as pool:
        there = pool.starmap(read_there, [(dataset, i) for i in range(10)])
    assert there == [read_there(dataset, i) for i in range(10)]


def test_words_of_a_class_are_names_too(tmp_path: Path) -> None:
    classes = ["tench, Tinca tinca", "crane", "crane, machine"]
    image = np.zeros((8, 8, 3), np.uint8)
    shardmill.write(tmp_path / "s", [(image, i) for i in range(3)], classes=classes, size=8)
    dataset = shardmill.Dataset(tmp_path / "s")
    assert dataset.filter_classes(["tench"]).targets == [0]
    assert dataset.filter_classes(["Tinca tinca"]).targets == [0]
    # A whole name goes before a part of one.
    assert dataset.filter_classes(["crane"]).targets == [1]
    assert dataset.class_to_idx == {one.synset: i for i, one in enumerate(dataset.classes)}
