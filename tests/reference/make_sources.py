"""Writes the images of a class-folder tree as other tools write them, to check prep against.

    pip install datasets webdataset pyarrow pillow
    python make_sources.py TREE OUT [IMAGES_PER_CLASS]

TREE holds train/<synset>/* and val/<synset>/*.
OUT/parquet gets Parquet files by Hugging Face's datasets, OUT/webdataset tars by webdataset's ShardWriter.
OUT/labels.json says the synset of every image's name.
"""

import json
import sys
from pathlib import Path

import webdataset
from datasets import ClassLabel, Dataset, Features, Image

SPLITS = {"train": "train", "val": "validation"}


def images(tree, split, limit):
    for folder in sorted((tree / split).iterdir()):
        for path in sorted(folder.iterdir())[:limit]:
            yield folder.name, path


def parquet(tree, out, synsets, limit):
    out.mkdir(parents=True, exist_ok=True)
    features = Features({"image": Image(), "label": ClassLabel(names=synsets)})
    for split, name in SPLITS.items():
        found = list(images(tree, split, limit))
        rows = {
            # Hugging Face's own imagenet-1k puts the synset behind the name.
            "image": [
                {"bytes": path.read_bytes(), "path": f"{path.stem}_{synset}{path.suffix}"}
                for synset, path in found
            ],
            "label": [synsets.index(synset) for synset, _ in found],
        }
        data = Dataset.from_dict(rows, features=features)
        for shard in range(2):
            part = data.shard(2, shard, contiguous=True)
            part.to_parquet(out / f"{name}-{shard:05}-of-00002.parquet", batch_size=100)


def tars(tree, out, synsets, limit):
    out.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        pattern = str(out / f"{split}-%06d.tar")
        with webdataset.ShardWriter(pattern, maxcount=40, verbose=0) as sink:
            for synset, path in images(tree, split, limit):
                label = synsets.index(synset)
                sink.write(
                    {
                        "__key__": path.stem,
                        "jpg": path.read_bytes(),
                        "cls": label,
                        "json": {"filename": path.name, "label": label, "synset": synset},
                    }
                )


def main():
    tree, out = Path(sys.argv[1]), Path(sys.argv[2])
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    synsets = sorted(folder.name for folder in (tree / "train").iterdir())
    parquet(tree, out / "parquet", synsets, limit)
    tars(tree, out / "webdataset", synsets, limit)
    labels = {
        f"{split}/{synset}/{path.name}": synsets.index(synset)
        for split in SPLITS
        for synset, path in images(tree, split, limit)
    }
    (out / "labels.json").write_text(json.dumps(labels))


if __name__ == "__main__":
    main()
