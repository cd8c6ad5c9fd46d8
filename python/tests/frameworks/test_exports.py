"""Other packages read shards and exports."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import CLASSES, SAMPLES, SIDE, picture

image_files = pytest.importorskip("PIL.Image")


def export(shards: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "shardmill", "prep", "export", shards, "--to", kind, "--out", out]
    subprocess.run([*map(str, command), "--shard-records", "60"], check=True, capture_output=True)
    return out


def number_of(key: str) -> int:
    return int(key[-8:-4])


def test_webdataset_reads_the_tars(shards: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = export(shards, "webdataset", tmp_path / "out")
    tars = sorted(map(str, out.glob("*.tar")))
    assert len(tars) == 3
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8").to_tuple("png", "cls", "json"))
    keys = [about["key"] for _, _, about in samples]
    assert keys == shardmill.Dataset(shards).keys
    for pixels, label, about in samples:
        number = number_of(about["key"])
        np.testing.assert_array_equal(pixels, picture(number))
        assert label == number % len(CLASSES)


def test_webdataset_reads_jpegs_as_they_are_stored(jpegs: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = export(jpegs, "webdataset", tmp_path / "out")
    dataset = shardmill.Dataset(jpegs)
    samples = webdataset.WebDataset(sorted(map(str, out.glob("*.tar"))), shardshuffle=False).to_tuple("jpg", "cls")
    stored = [(data, int(label)) for data, label in samples]
    assert stored == [(dataset.stored(i), int(dataset.labels[i])) for i in range(SAMPLES)]


def test_pyarrow_reads_the_parquet_files(shards: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export(shards, "parquet", tmp_path / "out") / "data")
    assert table.num_rows == SAMPLES
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"]["names"] == CLASSES
    rows = table.to_pylist()
    assert [row["key"] for row in rows] == shardmill.Dataset(shards).keys
    for row in rows:
        number = number_of(row["key"])
        pixels = np.asarray(image_files.open(io.BytesIO(row["image"]["bytes"])))
        np.testing.assert_array_equal(pixels, picture(number))
        assert row["label"] == number % len(CLASSES)


def test_torchvision_reads_the_class_folders(shards: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    folder = datasets.ImageFolder(str(export(shards, "folder", tmp_path / "out") / "train"))
    assert folder.classes == CLASSES
    assert len(folder) == SAMPLES
    for (image, label), (path, _) in zip(folder, folder.samples, strict=True):
        assert label == CLASSES.index(Path(path).parent.name)
        assert np.asarray(image).shape == (SIDE, SIDE, 3)
    found = sorted(np.asarray(image).tobytes() for image, _ in folder)
    assert found == sorted(picture(number).tobytes() for number in range(SAMPLES))


@pytest.mark.parametrize("framework", ["numpy", "torch", "flax"])
def test_safetensors_reads_the_shards(shards: Path, framework: str) -> None:
    safetensors = pytest.importorskip("safetensors")
    pytest.importorskip({"numpy": "numpy", "torch": "torch", "flax": "jax"}[framework])
    dataset = shardmill.Dataset(shards)
    at = 0
    for file in sorted(shards.glob("*.safetensors")):
        with safetensors.safe_open(file, framework=framework) as shard:
            images, labels = np.asarray(shard.get_tensor("images")), np.asarray(shard.get_tensor("labels"))
            keys = np.asarray(shard.get_tensor("keys")).tobytes()
            bounds = np.asarray(shard.get_tensor("key_offsets"))
            assert shard.metadata()["format"] == "shardmill"
        for i, image in enumerate(images):
            key = keys[bounds[i] : bounds[i + 1]].decode()
            assert key == dataset.key(at)
            np.testing.assert_array_equal(image, picture(number_of(key)))
            assert labels[i] == dataset.labels[at]
            at += 1
    assert at == SAMPLES


def test_pillow_decodes_the_records_of_jpegs(jpegs: Path) -> None:
    dataset = shardmill.Dataset(jpegs)
    for i in range(0, SAMPLES, 10):
        pillow = np.asarray(image_files.open(io.BytesIO(dataset.stored(i)))).astype(int)
        ours, _ = dataset[i]
        # The decoders upsample the chroma in their own ways.
        assert np.abs(pillow - ours).mean() < 3
