"""The Python code in the documents runs unchanged, on a dataset of a few images."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import shardmill

from conftest import picture, serving

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "python/README.md", "docs/python.md")


def blocks(document: str) -> list[str]:
    text = (ROOT / document).read_text()
    return [block.split("```")[0] for block in text.split("```python\n")[1:]]


BLOCKS = [
    pytest.param(block, id=f"{document}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(blocks(document))
    # Code that reads shards of ImageNet's size without the package is checked in prep's tests.
    if "load_file(" not in block
]


def test_the_documents_have_python() -> None:
    assert len(BLOCKS) == 8


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with `shards`, whose classes are named like ImageNet's, and with `imagenet/` of two classes."""
    folder = tmp_path / "imagenet" / "train"
    for i in range(8):
        path = folder / ("n01440764" if i % 2 else "n01443537") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i)).resize((256, 256)).save(path)
    samples = [(np.full((256, 256, 3), i % 256, np.uint8), i % 6) for i in range(400)]
    classes = [f"n0144076{i}" for i in range(6)]
    shardmill.write(tmp_path / "shards", samples, classes=classes)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {
        "shardmill": shardmill,
        "np": np,
        "transform": lambda image: image,
        "images": [picture(i) for i in range(3)],
    }
    if "torch" in block:
        names["torch"] = pytest.importorskip("torch")
    monkeypatch.chdir(place)
    if block.startswith("state ="):
        names["loader"] = shardmill.Loader("shards")
    if "shardmill.ingest(" in block:
        os.rename("shards", "shards-before")
    with contextlib.ExitStack() as servers:
        if "s3://" in block:
            address = servers.enter_context(serving(place / "shards", "--bucket", "bucket", "--prefix", "imagenet"))
            assert address in block
            block = block.replace("/fast-disk", str(place))
        exec(compile(block, "a document", "exec"), names)
        look_at(names)


def look_at(names: dict[str, Any]) -> None:
    """Checks what a block has made."""
    for batch in [*names["loader"]] if isinstance(names.get("loader"), shardmill.Loader) else []:
        assert batch.images.shape[1:] == (3, 224, 224)
    if "summary" in names:
        assert names["summary"]["records"] == {"train": 8}
        assert names["faults"] == []
        assert sys.modules["shardmill"].Dataset("mine").class_to_idx == {"cat": 0, "dog": 1}
