"""How a loader finds its rank."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import shardmill
from shardmill import ranks

from conftest import SAMPLES

LAUNCHERS = [
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
]


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of a new process: nothing printed yet, and torch not imported."""
    monkeypatch.setattr(ranks, "_said", set())
    monkeypatch.delitem(sys.modules, "torch", raising=False)


def set_pair(monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str], rank: str, size: str) -> None:
    monkeypatch.setenv(pair[0], rank)
    monkeypatch.setenv(pair[1], size)


def torch_with(rank: int, size: int, *, available: bool = True, initialized: bool = True) -> SimpleNamespace:
    """The parts of torch that are used."""
    distributed = SimpleNamespace(
        is_available=lambda: available,
        is_initialized=lambda: initialized,
        get_rank=lambda: rank,
        get_world_size=lambda: size,
    )
    return SimpleNamespace(distributed=distributed)


def test_alone_there_is_one_rank_and_nothing_is_said(shards: Path, capfd: pytest.CaptureFixture[str]) -> None:
    loader = shardmill.Loader(shards, crop=24)
    assert (loader.rank, loader.world_size) == (0, 1)
    assert sum(len(batch.labels) for batch in loader) == SAMPLES
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pair", LAUNCHERS)
def test_a_launchers_environment_is_taken_and_said_once(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], pair: tuple[str, str]
) -> None:
    set_pair(monkeypatch, pair, "2", "3")
    for _ in range(2):
        loader = shardmill.Loader(shards, crop=24, batch_size=10)
        assert (loader.rank, loader.world_size, loader.global_batch_size) == (2, 3, 30)
    said = f"shardmill: rank 2 of 3, from {pair[0]} and {pair[1]}\n"
    captured = capfd.readouterr()
    assert captured.err == said
    assert captured.out == ""


@pytest.mark.parametrize("pair", LAUNCHERS)
def test_the_ranks_of_an_environment_share_an_epoch(
    shards: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str]
) -> None:
    parts = []
    for rank in range(3):
        set_pair(monkeypatch, pair, str(rank), "3")
        loader = shardmill.Loader(shards, crop=24, batch_size=10)
        batches = list(loader)
        assert len(batches) == len(loader) == -(-SAMPLES // 30)
        parts.append({key for batch in batches for key in batch.keys[: batch.valid]})
    assert sum(map(len, parts)) == len(set.union(*parts)) == SAMPLES


def test_a_world_of_one_is_not_worth_a_line(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    set_pair(monkeypatch, LAUNCHERS[0], "0", "1")
    assert shardmill.Loader(shards, crop=24).world_size == 1
    assert capfd.readouterr().err == ""


def test_torchruns_environment_comes_before_that_of_the_scheduler_it_runs_under(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One SLURM task on each of two machines, each with a torchrun of two processes.
    set_pair(monkeypatch, LAUNCHERS[2], "1", "2")
    set_pair(monkeypatch, LAUNCHERS[0], "3", "4")
    loader = shardmill.Loader(shards, crop=24)
    assert (loader.rank, loader.world_size) == (3, 4)


def test_mpis_environment_comes_before_that_of_the_job_it_runs_in(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # mpirun in a batch job leaves the job's variables in place: every process has number 0.
    set_pair(monkeypatch, ("SLURM_PROCID", "SLURM_NTASKS"), "0", "4")
    set_pair(monkeypatch, ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), "2", "4")
    loader = shardmill.Loader(shards, crop=24)
    assert (loader.rank, loader.world_size) == (2, 4)


@pytest.mark.parametrize("pair", LAUNCHERS)
def test_half_a_pair_is_no_launcher(shards: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str]) -> None:
    for name in pair:
        with monkeypatch.context() as patched:
            patched.setenv(name, "1")
            assert shardmill.Loader(shards, crop=24).world_size == 1


@pytest.mark.parametrize(
    ("rank", "size", "words"),
    [
        ("2", "2", "ranks count from 0"),
        ("-1", "2", "ranks count from 0"),
        ("0", "0", "ranks count from 0"),
        ("0", "-4", "ranks count from 0"),
        ("one", "2", "not both integers"),
        ("0", "", "not both integers"),
        ("0", "2.0", "not both integers"),
    ],
)
@pytest.mark.parametrize("pair", LAUNCHERS)
def test_an_environment_that_makes_no_sense_is_refused(
    shards: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str], rank: str, size: str, words: str
) -> None:
    set_pair(monkeypatch, pair, rank, size)
    with pytest.raises(shardmill.SettingError, match=f"{pair[0]} is .*{words}.*give rank= and world_size=") as caught:
        shardmill.Loader(shards, crop=24)
    assert pair[1] in str(caught.value)
    # Given ranks are used without looking at the environment.
    assert shardmill.Loader(shards, crop=24, rank=1, world_size=2).rank == 1


def test_ranks_that_are_given_win(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    set_pair(monkeypatch, LAUNCHERS[0], "1", "2")
    monkeypatch.setitem(sys.modules, "torch", torch_with(2, 4))
    loader = shardmill.Loader(shards, crop=24, rank=0, world_size=3)
    assert (loader.rank, loader.world_size) == (0, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("given", [{"rank": 1}, {"world_size": 2}])
def test_half_of_what_must_be_given_is_refused(shards: Path, given: dict[str, int]) -> None:
    with pytest.raises(shardmill.SettingError, match="give both or neither"):
        shardmill.Loader(shards, crop=24, **given)


@pytest.mark.parametrize(("rank", "size"), [(2, 2), (-1, 2), (0, 0), (5, 3), (0, -1), ("0", 2), (0.5, 2), (True, 2)])
def test_given_ranks_that_make_no_sense_are_refused(shards: Path, rank: object, size: object) -> None:
    with pytest.raises(shardmill.SettingError, match="rank"):
        shardmill.Loader(shards, crop=24, rank=rank, world_size=size)


def test_torch_distributed_comes_before_the_environment(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    set_pair(monkeypatch, LAUNCHERS[0], "0", "2")
    monkeypatch.setitem(sys.modules, "torch", torch_with(1, 4))
    loader = shardmill.Loader(shards, crop=24)
    assert (loader.rank, loader.world_size) == (1, 4)
    assert capfd.readouterr().err == "shardmill: rank 1 of 4, from torch.distributed\n"


@pytest.mark.parametrize("torch", [torch_with(1, 4, available=False), torch_with(1, 4, initialized=False)])
def test_a_torch_that_is_not_distributed_leaves_it_to_the_environment(
    shards: Path, monkeypatch: pytest.MonkeyPatch, torch: SimpleNamespace
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert shardmill.Loader(shards, crop=24).world_size == 1
    set_pair(monkeypatch, LAUNCHERS[0], "1", "2")
    assert shardmill.Loader(shards, crop=24).world_size == 2


def test_threads_are_shared_among_the_processes_of_a_machine(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert shardmill.Loader(shards, crop=24, batch_size=4).threads == 8
    for name in ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"):
        with monkeypatch.context() as patched:
            patched.setenv(name, "4")
            assert shardmill.Loader(shards, crop=24, batch_size=4).threads == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert shardmill.Loader(shards, crop=24, batch_size=4).threads == 1


def test_a_last_batch_of_several_ranks_is_padded_so_that_all_take_as_many_steps(shards: Path) -> None:
    valid = []
    for rank in range(2):
        loader = shardmill.Loader(shards, crop=24, batch_size=10, rank=rank, world_size=2)
        *_, last = loader
        assert len(last.labels) == 10
        valid.append(last.valid)
    # 131 samples are six batches of 20, and 11.
    assert valid == [10, 1]
