"""Finds the rank of this process."""

from __future__ import annotations

import operator
import os
import sys
from dataclasses import dataclass

from shardmill.errors import SettingError

__all__ = ["Ranks", "find_ranks", "local_processes"]

#: Environment variables of launchers: rank and number of processes. torchrun's come first, then MPI's, since either may
#: run in a batch job of Slurm, whose own variables are then those of the job and the same in every process.
_LAUNCHERS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
#: Number of processes on this machine, from the same launchers.
_LOCAL = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")

_said: set[str] = set()


@dataclass(frozen=True)
class Ranks:
    """Rank of a process, number of processes, and the source of both."""

    rank: int
    world_size: int
    source: str


def find_ranks(rank: int | None, world_size: int | None) -> Ranks:
    """The given ranks; otherwise those of ``torch.distributed`` if it is initialised; otherwise those from a
    launcher's environment; otherwise a single process. Detected ranks are printed once on standard error."""
    if rank is not None or world_size is not None:
        if rank is None or world_size is None:
            raise SettingError("rank and world_size belong together: give both or neither")
        for name, number in (("rank", rank), ("world_size", world_size)):
            if isinstance(number, bool) or not hasattr(number, "__index__"):
                raise SettingError(f"{name} is {number!r}; give an integer")
        given = Ranks(operator.index(rank), operator.index(world_size), "given")
        if not 0 <= given.rank < given.world_size:
            raise SettingError(
                f"rank is {given.rank} and world_size is {given.world_size}; ranks count from 0 to world_size - 1"
            )
        return given
    found = _of_torch() or _of_environment()
    if found is None:
        return Ranks(0, 1, "none")
    _say(found)
    return found


def _of_torch() -> Ranks | None:
    # A program that uses torch.distributed has imported torch; other programs need not wait for that import.
    torch = sys.modules.get("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return Ranks(distributed.get_rank(), distributed.get_world_size(), "torch.distributed")


def _of_environment() -> Ranks | None:
    for rank_name, size_name in _LAUNCHERS:
        rank, size = os.environ.get(rank_name), os.environ.get(size_name)
        if rank is None or size is None:
            if rank is not None and rank_name == "RANK":
                _say_once(f"shardmill: RANK is {rank} in the environment, but WORLD_SIZE is missing: RANK is ignored")
            continue
        try:
            found = Ranks(int(rank), int(size), f"{rank_name} and {size_name}")
        except ValueError:
            raise SettingError(
                f"{rank_name} is {rank!r} and {size_name} is {size!r} in the environment, which are not both "
                "integers: give rank= and world_size="
            ) from None
        if not 0 <= found.rank < found.world_size:
            raise SettingError(
                f"{rank_name} is {rank} and {size_name} is {size} in the environment; ranks count from 0 to the "
                "number of processes minus 1: give rank= and world_size="
            )
        return found
    return None


def _say(found: Ranks) -> None:
    text = f"shardmill: rank {found.rank} of {found.world_size}, from {found.source}"
    if found.world_size > 1:
        _say_once(text)


def _say_once(text: str) -> None:
    if text not in _said and sys.stderr is not None:
        _said.add(text)
        print(text, file=sys.stderr, flush=True)


def local_processes() -> int:
    """How many processes of this run share the machine, if the launcher says so; otherwise 1."""
    for name in _LOCAL:
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return 1
