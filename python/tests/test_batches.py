"""Batches equal those of the Rust loader byte for byte: `tests/tests/it/python.rs` writes `batches.json`."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import shardmill

CASES = json.loads((Path(__file__).parent / "batches.json").read_text())


def checksum(batch: shardmill.Batch) -> int:
    images = batch.images.bits if isinstance(batch.images, shardmill.BFloat16Array) else batch.images
    crc = zlib.crc32(np.ascontiguousarray(images))
    crc = zlib.crc32(np.ascontiguousarray(batch.color_shift), crc)
    return zlib.crc32(batch.labels, crc)


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["settings"]["augment"])
def test_batches_are_those_of_rust(shards: Path, case: dict, threads: int) -> None:
    settings = dict(case["settings"])
    if "color_jitter" in settings:
        settings["color_jitter"] = shardmill.ColorJitter(*settings["color_jitter"])
    loader = shardmill.Loader(shards, threads=threads, **settings)
    for epoch, expected in enumerate(case["epochs"]):
        assert len(loader) == len(expected)
        assert [checksum(batch) for batch in loader] == expected, f"epoch {epoch}"
