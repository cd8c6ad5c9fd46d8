"""Reads raw shards with safetensors and numpy, without Shardmill: ``python plain_numpy.py SHARDS``.

A shard is an ordinary safetensors file; docs/format.md says what its tensors mean. If ``codec`` is ``jpeg``,
record i is a JPEG file, ``records[offsets[i]:offsets[i + 1]]``.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

folder = Path(sys.argv[1])
manifest = json.loads((folder / "manifest.json").read_text())
if manifest["codec"] != "raw":
    sys.exit(f"this example reads raw shards, but these are {manifest['codec']}: use prep convert --codec raw")
height, width, crop = manifest["height"], manifest["width"], 224
shards = [
    safe_open(folder / shard["file"], framework="numpy").__enter__() for shard in manifest["splits"]["train"]["shards"]
]
labels = [shard.get_tensor("labels") for shard in shards]
places = [(shard, record) for shard, part in enumerate(labels) for record in range(len(part))]
print(f"{len(places)} images of {height}x{width} in {len(shards)} shards, {len(manifest['classes'])} classes")

keys, bounds = shards[0].get_tensor("keys").tobytes(), shards[0].get_tensor("key_offsets")
first = [keys[bounds[i] : bounds[i + 1]].decode() for i in range(3)]
print(f"the first are {', '.join(first)}")


def batches(seed: int, size: int = 64) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An epoch in random order: float32 ``[size, 3, crop, crop]`` and labels; random crops, half of them flipped."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(places))
    mean, std = (np.float32(manifest["statistics"][name]) for name in ("mean", "std"))
    for start in range(0, len(order), size):
        images, targets = [], []
        for place in order[start : start + size]:
            shard, record = places[place]
            # Reads only this record.
            image = shards[shard].get_slice("images")[record : record + 1][0]
            top, left = draw.integers(height - crop + 1), draw.integers(width - crop + 1)
            window = image[top : top + crop, left : left + crop]
            window = window[:, ::-1] if draw.integers(2) else window
            images.append(((window - mean) / std).transpose(2, 0, 1))
            targets.append(labels[shard][record])
        yield np.stack(images), np.array(targets)


count, began = 0, time.perf_counter()
for images, targets in batches(seed=0):
    assert len(images) == len(targets)
    count += len(images)
print(f"an epoch of {count} images, batches of {images.dtype} {images.shape[1:]}")
print(f"{count / (time.perf_counter() - began):.0f} images/s; shardmill.Loader makes these in threads")
