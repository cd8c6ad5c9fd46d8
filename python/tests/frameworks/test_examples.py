"""Every example runs and does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import shardmill

from conftest import serving

EXAMPLES = Path(__file__).parents[2] / "examples"
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def run(name: str, shards: Path | str, *before: str, after: Sequence[str] = ()) -> str:
    """Runs an example; returns its output. `before` is what starts it, and `after` its arguments after the shards."""
    done = subprocess.run(
        [sys.executable, *before, str(EXAMPLES / name), str(shards), *after],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(printed: str) -> list[float]:
    return [float(found) for found in re.findall(r"loss (\d+\.\d+)", printed)]


def test_every_example_is_tried() -> None:
    here = Path(__file__).read_text() + (EXAMPLES.parent / "tests" / "test_plain_numpy.py").read_text()
    for example in EXAMPLES.glob("*.py"):
        assert example.name in here


def test_pytorch(photos: Path) -> None:
    pytest.importorskip("torchvision")
    printed = run("pytorch_train.py", photos)
    assert len(losses(printed)) == 4
    assert "images/s" in printed
    # Four batches of 32 of the 240 samples were returned, and the next sample is the resumed run's first.
    order = [key for batch in shardmill.Loader(photos, batch_size=32) for key in batch.keys]
    assert f"begins with {order[4 * 32]} of epoch 0" in printed


def test_ddp(photos: Path) -> None:
    pytest.importorskip("torchvision")
    printed = run("ddp.py", photos, *TORCHRUN)
    assert len(losses(printed)) == 4
    assert "128 + 112 samples, all different: an epoch of 240" in printed


def test_ddp_resume(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    torch = pytest.importorskip("torch")
    shutil.copytree(photos, tmp_path / "uploads" / "photos")
    checkpoint, cache = tmp_path / "run.pt", tmp_path / "cache"
    after = ["--checkpoint", str(checkpoint), "--cache-dir", str(cache), "--save-every", "2"]
    order = [key for batch in shardmill.Loader(photos, batch_size=32, order="shards:8", seed=1) for key in batch.keys]
    with serving(tmp_path / "uploads") as address:
        printed = run("ddp_resume.py", f"{address}/photos", *TORCHRUN, after=[*after, "--stop-after", "3"])
        assert len(losses(printed)) == 3
        assert "96 of 240 samples, 96 of them different, by 2 processes" in printed
        assert set(torch.load(checkpoint)["seen"]) == set(order[:96])
        alone = [*TORCHRUN[:-1], "1"]
        printed = run("ddp_resume.py", f"{address}/photos", *alone, after=after)
        assert len(losses(printed)) == 5
        assert "240 of 240 samples, 240 of them different, by 1 processes" in printed
    saved = torch.load(checkpoint)
    assert (saved["seen"], saved["loader"]["epoch"]) == ([], 1)
    # One cache for all processes, which holds each shard once.
    assert len(list(cache.rglob("*.shard"))) == 3


def test_jax(photos: Path) -> None:
    pytest.importorskip("jax")
    printed = run("jax_step.py", photos)
    assert "bfloat16" in printed
    first, *_, last = losses(printed)
    assert last < first


def test_lightning(photos: Path) -> None:
    pytest.importorskip("lightning")
    assert "three runs saw the 480 samples of one, in the same order" in run("lightning_resume.py", photos)


@pytest.mark.parametrize("before", [(), TORCHRUN], ids=["one", "two"])
def test_accelerate(photos: Path, before: list[str]) -> None:
    pytest.importorskip("accelerate")
    printed = run("accelerate_train.py", photos, *before)
    first, *_, last = losses(printed)
    assert last < first
    assert f"{4 if before else 8} steps on cpu" in printed


def test_transforms_v2(photos: Path) -> None:
    pytest.importorskip("torchvision")
    printed = run("transforms_v2.py", photos)
    changed = re.search(r"(\d+) of 240 images were changed", printed)
    assert changed is not None
    assert 120 < int(changed[1]) <= 240
    assert "torch.float32 (48, 3, 224, 224), targets (48, 5)" in printed


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_the_rust_project(photos: Path) -> None:
    manifest = EXAMPLES.parents[1] / "examples" / "rust_project" / "Cargo.toml"
    command = ["cargo", "run", "--release", "--locked", "--manifest-path", manifest, "--", photos]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    first, *batches, total, verdict = done.stdout.splitlines()
    assert first == "240 images in 5 classes"
    assert [line.split(", first")[0] for line in batches] == [
        f"batch {number}: [{64 if number < 3 else 48}, 3, 224, 224]" for number in range(4)
    ]
    assert total.startswith("240 images, mean ")
    assert verdict
    # Its first sample is that of Python's loader with the same seed.
    key = next(iter(shardmill.Loader(photos, batch_size=64, seed=7))).keys[0]
    assert f"first {key} of class" in batches[0]


def test_contrastive(photos: Path) -> None:
    pytest.importorskip("torchvision")
    printed = run("contrastive.py", photos)
    assert "(32, 2, 3, 64, 64)" in printed
    assert len(losses(printed)) == 5
