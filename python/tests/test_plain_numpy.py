"""The example that reads shards without Shardmill."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shardmill

EXAMPLE = Path(__file__).parents[1] / "examples" / "plain_numpy.py"


def run(shards: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the example where importing shardmill fails."""
    (folder / "shardmill.py").write_text("raise ImportError('the example must do without')")
    command = [sys.executable, str(EXAMPLE), str(shards)]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_plain_numpy_py_reads_raw_shards(tmp_path: Path, codec: str) -> None:
    pytest.importorskip("safetensors")
    draw = np.random.default_rng(0)
    samples = [(draw.integers(0, 256, (240, 240, 3), np.uint8), i % 2, f"c{i % 2}/{i}.png") for i in range(70)]
    shardmill.write(tmp_path / "shards", samples, classes=["c0", "c1"], size=240, codec=codec, shard_records=40)
    done = run(tmp_path / "shards", tmp_path)
    if codec == "jpeg":
        assert done.returncode == 1
        assert "prep convert --codec raw" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert "70 images of 240x240 in 2 shards, 2 classes" in done.stdout
    first = ", ".join(shardmill.Dataset(tmp_path / "shards").keys[:3])
    assert f"the first are {first}\n" in done.stdout
    assert "an epoch of 70 images, batches of float32 (3, 224, 224)" in done.stdout
    assert re.search(r"\d+ images/s", done.stdout)
