"""Reads a dataset through the Python package, and compares every byte with the same dataset in a folder.

    reader.py {dataset|loader} URL FOLDER CACHE [--epochs N] [--cache-bytes N]

`dataset` reads records one by one; `loader` takes shuffled batches, which must be those of the folder. It prints a line
of JSON per epoch: images, seconds (without the comparison), wrong and missing images.
"""

import argparse
import json
import time

import numpy as np

import shardmill


def remote(options: argparse.Namespace) -> shardmill.Dataset:
    cache = {"cache_dir": options.cache}
    if options.cache_bytes:
        cache["cache_bytes"] = options.cache_bytes
    return shardmill.Dataset(options.url, "train", **cache)


def batches(kind: str, data):
    """Arrays of images, image by image or batch by batch."""
    if kind == "dataset":
        for index in range(len(data)):
            yield data[index][0][None]
    else:
        for images, _ in data:
            yield images


def main() -> None:
    parser = argparse.ArgumentParser(description="a reader that compares")
    parser.add_argument("kind", choices=["dataset", "loader"])
    parser.add_argument("url")
    parser.add_argument("folder")
    parser.add_argument("cache")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--cache-bytes", type=int, default=0)
    options = parser.parse_args()
    found, expected = remote(options), shardmill.Dataset(options.folder, "train")
    total = len(expected)
    if options.kind == "loader":
        settings = {"batch_size": 64, "output": "uint8", "layout": "nhwc", "threads": 2, "last_batch": "keep"}
        found, expected = (shardmill.Loader(data, **settings) for data in (found, expected))
    for _ in range(options.epochs):
        images = wrong = 0
        seconds = 0.0
        theirs = batches(options.kind, expected)
        ours = batches(options.kind, found)
        while True:
            started = time.monotonic()
            batch = next(ours, None)
            seconds += time.monotonic() - started
            if batch is None:
                break
            right = next(theirs)
            images += len(batch)
            wrong += int((np.asarray(batch) != np.asarray(right)).reshape(len(batch), -1).any(axis=1).sum())
        row = {"images": images, "seconds": round(seconds, 3), "wrong": wrong, "missing": total - images}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
