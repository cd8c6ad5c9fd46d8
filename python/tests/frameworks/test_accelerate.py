"""Accelerate leaves a loader alone: it shards and moves only torch's own DataLoaders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import shardmill

from conftest import SAMPLES

torch = pytest.importorskip("torch")
accelerate = pytest.importorskip("accelerate")


@pytest.fixture
def accelerator() -> Any:
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    return accelerate.Accelerator(cpu=True)


def test_a_short_training(shards: Path, accelerator: Any) -> None:
    loader = shardmill.Loader(shards, crop=24, batch_size=16, normalize="imagenet", device=accelerator.device)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 24, 7))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    model, optimizer, prepared = accelerator.prepare(model, optimizer, loader)
    assert prepared is loader
    before = [parameter.clone() for parameter in model.parameters()]
    for epoch in range(2):
        prepared.set_epoch(epoch)
        keys = []
        for batch in prepared:
            assert type(batch) is shardmill.Batch
            assert batch.images.device == accelerator.device
            loss = torch.nn.functional.cross_entropy(model(batch.images), batch.labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            keys += batch.keys
        assert len(set(keys)) == len(keys) == SAMPLES
    assert not any(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_a_loader_among_what_accelerate_saves(shards: Path, tmp_path: Path, accelerator: Any) -> None:
    def loader() -> shardmill.Loader:
        return shardmill.Loader(shards, crop=24, batch_size=16, seed=6, device=accelerator.device)

    whole = [key for batch in loader() for key in batch.keys]
    first = loader()
    accelerator.register_for_checkpointing(first)
    seen = []
    for batch in first:
        seen += batch.keys
        if batch.step == 3:
            accelerator.save_state(tmp_path / "state")
            break
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    second_run = accelerate.Accelerator(cpu=True)
    second = loader()
    second_run.register_for_checkpointing(second)
    second_run.load_state(tmp_path / "state")
    seen += [key for batch in second for key in batch.keys]
    assert seen == whole


def test_a_batch_stays_whole_where_accelerate_moves_it(shards: Path) -> None:
    from accelerate.utils import send_to_device

    batch = next(iter(shardmill.Loader(shards, crop=24, batch_size=16, framework="torch")))
    moved = send_to_device(batch, torch.device("meta"))
    assert moved.images.device.type == "meta"
    assert moved.keys == batch.keys


SCRIPT = """
import json, sys
from pathlib import Path
import accelerate, torch
import shardmill

accelerator = accelerate.Accelerator(cpu=True)
loader = accelerator.prepare(shardmill.Loader(sys.argv[1], crop=24, batch_size=10, device=accelerator.device))
keys = [key for batch in loader for key in batch.keys[: batch.valid]]
told = {"ours": loader.rank, "theirs": accelerator.process_index, "keys": keys}
Path(sys.argv[2], f"{loader.rank}.json").write_text(json.dumps(told))
accelerator.end_training()
"""


def test_two_processes_of_accelerate_share_an_epoch(shards: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            script, shards, tmp_path,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [(one["ours"], one["theirs"]) for one in told] == [(0, 0), (1, 1)]
    halves = [set(one["keys"]) for one in told]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == SAMPLES
