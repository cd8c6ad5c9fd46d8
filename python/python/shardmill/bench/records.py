"""Reads shards with numpy alone, for the loaders that take only arrays and files.

A shard is an ordinary safetensors file, so this needs no code of Shardmill: the peers' data do not
depend on the code that they are compared with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TYPES = {"U8": np.uint8, "U32": np.uint32, "I64": np.int64}


def tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file, mapped rather than read."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    body = np.memmap(path, np.uint8, "r", offset=8 + length)
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            found[name] = body[start:end].view(TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


class Records:
    """The records of a split in the order of its shards."""

    def __init__(self, folder: str, split: str) -> None:
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
        self.codec: str = manifest["codec"]
        self.shape = (int(manifest["height"]), int(manifest["width"]), 3)
        if split not in manifest["splits"]:
            names = ", ".join(manifest["splits"])
            raise ValueError(f"{folder} has no split {split!r}; it has: {names}")
        self.shards = [tensors(Path(folder) / shard["file"]) for shard in manifest["splits"][split]["shards"]]
        lengths = [len(shard["labels"]) for shard in self.shards]
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.labels: npt.NDArray[np.int64] = np.concatenate([shard["labels"] for shard in self.shards])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _place(self, index: int) -> tuple[dict[str, npt.NDArray[Any]], int]:
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.shards[shard], index - int(self.starts[shard])

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """Record ``index`` of raw shards, uint8 ``[height, width, 3]``: a view of the file."""
        shard, i = self._place(index)
        pixels: npt.NDArray[np.uint8] = shard["images"][i]
        return pixels

    def stored(self, index: int) -> npt.NDArray[np.uint8]:
        """The bytes of record ``index`` of JPEG shards: a view of the file."""
        shard, i = self._place(index)
        start, end = shard["offsets"][i : i + 2]
        stored: npt.NDArray[np.uint8] = shard["records"][start:end]
        return stored
