"""Ranks in processes that `torchrun` starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SAMPLES

pytest.importorskip("torch")

SCRIPT = """
import json, os, sys
from pathlib import Path
import torch, torch.distributed as distributed
import shardmill

shards, out, how = sys.argv[1:]
if how == "initialised":
    # The other way round than the environment says, so that it shows which of the two is taken.
    rank = 1 - int(os.environ["RANK"])
    store = distributed.TCPStore("127.0.0.1", int(os.environ["MASTER_PORT"]), is_master=False)
    distributed.init_process_group("gloo", store=distributed.PrefixStore("turned", store), rank=rank, world_size=2)
loaders = [shardmill.Loader(shards, crop=24, batch_size=10, seed=1, framework="torch") for _ in range(3)]
loader = loaders[0]
keys = [[key for batch in loader for key in batch.keys[:batch.valid]] for _ in range(2)]
same = None
if how == "initialised":
    steps = torch.tensor([len(loader)])
    distributed.all_reduce(steps)
    same = int(steps) == 2 * len(loader)
    distributed.destroy_process_group()
told = {"rank": loader.rank, "world_size": loader.world_size, "keys": keys, "same": same}
told["environment"] = int(os.environ["RANK"])
Path(out, f"{loader.rank}.json").write_text(json.dumps(told))
"""


@pytest.mark.parametrize("how", ["initialised", "environment"])
def test_two_processes_share_an_epoch(shards: Path, tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            script, shards, tmp_path, how,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [(one["rank"], one["world_size"]) for one in told] == [(0, 2), (1, 2)]
    assert [one["environment"] for one in told] == ([1, 0] if how == "initialised" else [0, 1])
    epochs = []
    for epoch in range(2):
        halves = [set(one["keys"][epoch]) for one in told]
        assert not halves[0] & halves[1]
        assert len(halves[0] | halves[1]) == SAMPLES
        assert sum(len(one["keys"][epoch]) for one in told) == SAMPLES
        epochs.append(halves)
    assert epochs[0] != epochs[1]
    source = "torch.distributed" if how == "initialised" else "RANK and WORLD_SIZE"
    said = sorted(line for line in run.stderr.splitlines() if line.startswith("shardmill:"))
    assert said == [f"shardmill: rank {rank} of 2, from {source}" for rank in range(2)]
    assert all(one["same"] in (True, None) for one in told)
