"""Opens every shard of a dataset with the stock safetensors and numpy and compares the pixels with our reader's.

Usage: cargo run --release -p shardmill-loader --example pixels -- SHARDS train > pixels.bin
       python tests/reference/read_with_python.py SHARDS train pixels.bin
Needs numpy and safetensors, and zstandard for codec zstd. Prints the number of records compared.
"""
import json, pathlib, sys

import numpy as np
from safetensors.numpy import load_file

folder, split, dump = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
manifest = json.loads((folder / "manifest.json").read_text())
height, width = manifest["height"], manifest["width"]
ours = np.fromfile(dump, np.uint8).reshape(-1, height, width, 3)


def records(tensors):
    if manifest["codec"] == "raw":
        yield from tensors["images"]
        return
    if manifest["codec"] != "zstd":
        sys.exit("codec jpeg: two decoders may differ by a level; compare raw and zstd")
    import zstandard
    for start, end in zip(tensors["offsets"][:-1], tensors["offsets"][1:]):
        planes = zstandard.decompress(tensors["records"][start:end].tobytes(), height * width * 3)
        planes = np.frombuffer(planes, np.uint8).reshape(3, height, width)
        yield np.moveaxis(np.cumsum(planes, axis=2, dtype=np.uint8), 0, 2)


seen = 0
for shard in manifest["splits"][split]["shards"]:
    tensors = load_file(folder / shard["file"])
    keys, bounds = tensors["keys"].tobytes(), tensors["key_offsets"]
    for i, record in enumerate(records(tensors)):
        key = keys[bounds[i]:bounds[i + 1]].decode()
        synset = manifest["classes"][tensors["labels"][i]]["synset"]
        assert f"/{synset}/" in f"/{key}", (key, synset)
        assert np.array_equal(record, ours[seen]), f"{shard['file']}: record {i} ({key}) differs"
        seen += 1
assert seen == len(ours), (seen, len(ours))
print(f"{seen} records of {split} are equal")
