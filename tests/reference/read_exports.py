"""Iterates exports of a dataset with webdataset, pyarrow, datasets and Pillow and compares every image and label with the shards.

Usage: prep export SHARDS --to webdataset --out EXPORTS/webdataset    (likewise folder and parquet)
       python tests/reference/read_exports.py SHARDS EXPORTS
Needs webdataset, pyarrow, datasets, pillow, numpy and safetensors, and zstandard for codec zstd.
JPEG bytes must be the stored ones; PNG must decode to the stored pixels. Prints what was compared.
"""
import collections, io, json, pathlib, sys, tarfile

import datasets
import numpy as np
import pyarrow.parquet as pq
import webdataset as wds
from PIL import Image
from safetensors.numpy import load_file

shards, exports = map(pathlib.Path, sys.argv[1:3])
manifest = json.loads((shards / "manifest.json").read_text())
codec, height, width = manifest["codec"], manifest["height"], manifest["width"]
classes = manifest["classes"]
extension = "jpg" if codec == "jpeg" else "png"
# A file keeps the name of its key where that ends as such images do.
endings = (".jpg", ".jpeg", ".jpe", ".jfif") if codec == "jpeg" else (".png",)


def stored(tensors):
    if codec == "raw":
        return list(tensors["images"])
    bounds = tensors["offsets"]
    parts = [tensors["records"][start:end].tobytes() for start, end in zip(bounds[:-1], bounds[1:])]
    if codec == "jpeg":
        return parts
    import zstandard
    planes = [np.frombuffer(zstandard.decompress(part, height * width * 3), np.uint8) for part in parts]
    return [np.moveaxis(np.cumsum(p.reshape(3, height, width), axis=2, dtype=np.uint8), 0, 2) for p in planes]


def records(split):
    for entry in manifest["splits"][split]["shards"]:
        tensors = load_file(shards / entry["file"])
        keys, bounds = tensors["keys"].tobytes(), tensors["key_offsets"]
        for i, record in enumerate(stored(tensors)):
            yield keys[bounds[i]:bounds[i + 1]].decode(), int(tensors["labels"][i]), record


def same(image, record):
    if codec == "jpeg":
        return image == record
    return np.array_equal(np.asarray(Image.open(io.BytesIO(image))), record)


for split in manifest["splits"]:
    expected = list(records(split))

    tars = sorted(str(path) for path in (exports / "webdataset").glob(f"{split}-*.tar"))
    samples = list(wds.WebDataset(tars, shardshuffle=False))
    assert len(samples) == len(expected), (len(samples), len(expected))
    for sample, (key, label, record) in zip(samples, expected):
        about = json.loads(sample["json"])
        assert same(sample[extension], record) and int(sample["cls"]) == label, key
        assert (about["key"], about["label"]) == (key, label), about
        assert label < 0 or about["synset"] == classes[label]["synset"], about
    decoded = next(iter(wds.WebDataset(tars, shardshuffle=False).decode("rgb8")))
    assert decoded[extension].shape == (height, width, 3) and decoded["cls"] == expected[0][1]

    files = sorted((exports / "parquet" / "data").glob(f"{split}-*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert len(rows) == len(expected), (len(rows), len(expected))
    for row, (key, label, record) in zip(rows, expected):
        assert same(row["image"]["bytes"], record) and row["label"] == label, key
        assert row["image"]["path"].lower().endswith(endings), row["image"]["path"]
        assert row["key"] == key, (row["key"], key)
    names = json.loads(pq.read_schema(files[0]).metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    assert len(set(names)) == len(classes)
    table = json.loads(pq.read_schema(files[0]).metadata[b"shardmill"])
    assert table["classes"] == classes and table["split"] == split, table
    with tarfile.open(tars[0]) as tar:
        assert json.load(tar.extractfile(tar.next())) == table
    assert all(name.startswith(c["name"]) or name == c["synset"] for name, c in zip(names, classes))

    folder = collections.Counter()
    by_image = collections.Counter()
    listed = exports / "folder" / "keys.tsv"
    listed = dict(line.split("\t") for line in listed.read_text().splitlines()) if listed.exists() else {}
    keys = set()
    for path in (exports / "folder" / split).rglob("*"):
        if path.is_dir():
            continue
        assert path.name.lower().endswith(endings), path
        content = path.read_bytes() if codec == "jpeg" else np.asarray(Image.open(path)).tobytes()
        folders = path.relative_to(exports / "folder" / split).parts[:-1]
        folder[folders[0] if folders else split, content] += 1
        path = path.relative_to(exports / "folder").as_posix()
        keys.add(listed.get(path, path))
    assert keys == {key for key, _, _ in expected}, "folder: keys differ"
    if manifest["splits"][split]["labelled"]:
        found = sorted(path.name for path in (exports / "folder" / split).iterdir())
        assert found == [c["synset"] for c in classes], "folder: a class without images keeps its folder"
    for key, label, record in expected:
        content = record if codec == "jpeg" else record.tobytes()
        by_image[classes[label]["synset"] if label >= 0 else split, content] += 1
    assert folder == by_image, "folder: images or classes differ"
    print(f"{split}: {len(expected)} records agree in webdataset, parquet (pyarrow) and folder")

# Its cache stays out of the home folder.
loaded = datasets.load_dataset(str(exports / "parquet"), cache_dir=str(exports / "cache"))
for split in manifest["splits"]:
    # datasets calls the split `val` what its file names say, or `validation`.
    part = loaded[split if split in loaded else "validation"]
    features = part.features
    assert isinstance(features["image"], datasets.Image) and isinstance(features["label"], datasets.ClassLabel), features
    assert features["label"].num_classes == len(classes)
    raw = part.cast_column("image", datasets.Image(decode=False))
    expected = list(records(split))
    assert len(raw) == len(expected)
    for row, (key, label, record) in zip(raw, expected):
        assert same(row["image"]["bytes"], record) and row["label"] == label, key
    assert part[0]["image"].size == (width, height)
    print(f"{split}: {len(expected)} records agree in datasets, classes {features['label'].names[:3]}...")
