"""Measures the loaders at one kind of work: opens them, checks them, and lets them take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .client import Contestant, FailedError, RustBench, SkippedError, Worker
from .peers import module
from .stats import Round
from .work import Job

RUST = "loader bench"
OURS = "ours"
TORCH = "ours:torch"
FLOAT_TOLERANCE = 0.1
"""Largest difference between a peer's mean and standard deviation and ours, in normalised values."""
BYTE_TOLERANCE = 6.0
"""The same, in levels of 0..255."""

Open = Callable[[str, Job], Contestant]
Say = Callable[[str], None]


@dataclass
class Result:
    """The result of a loader at one kind of work."""

    loader: str
    version: str = ""
    leaves_out: str = ""
    rounds: list[Round] = field(default_factory=list)
    pairs: list[Round] = field(default_factory=list)
    """Our round directly before each of its own; empty for ours."""
    skipped: str = ""
    failed: str = ""
    pip: str = ""


def open_contestant(name: str, job: Job) -> Contestant:
    """Opens a worker process, or the Rust program."""
    return RustBench(job) if name == RUST else Worker(job)


def differences(ours: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where another loader's epoch differs from the work that ours did."""
    found = []
    for key, what in (("images", "images in an epoch"), ("shape", "shape"), ("dtype", "type")):
        if ours[key] != other[key]:
            found.append(f"{what}: {other[key]}, not {ours[key]}")
    if found:
        return found
    sizes = other["class_sizes"]
    if sizes is not None and sizes != ours["class_sizes"]:
        found.append("labels: the classes have different sizes from ours")
    tolerance = BYTE_TOLERANCE if ours["dtype"] == "uint8" else FLOAT_TOLERANCE
    for key in ("mean", "deviation"):
        if not abs(ours[key] - other[key]) <= tolerance:
            found.append(f"{key} of the values: {other[key]:.3f}, not {ours[key]:.3f}")
    return found


def take_turns(
    names: Sequence[str],
    job_of: Callable[[str], Job],
    rounds: int,
    seconds: float,
    say: Say,
    open_: Open = open_contestant,
) -> list[Result]:
    """Measures ours and the others at one kind of work; the first result is ours.

    A loader that is missing, crashes or does different work is skipped from then on, and its result
    says why.  If ours fails, the others are not measured.
    """
    results = [Result(name) for name in (OURS, *names)]
    mine, others = results[0], results[1:]
    running: dict[str, Contestant] = {}
    try:
        facts = _start(mine, job_of(OURS), running, say, open_)
        if facts is None:
            return results
        for result in others:
            held = _start(result, job_of(result.loader), running, say, open_)
            if held is None:
                continue
            if problems := differences(facts, held):
                _fail(result, "its work differs from ours: " + "; ".join(problems), running, say)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for result in others or [mine]:
                if result is not mine and result.loader not in running:
                    continue
                _turn(mine, result, running, seconds, say)
                if mine.failed:
                    return results
        if not mine.rounds:
            # No other loader ran.
            for _ in range(rounds):
                _turn(mine, mine, running, seconds, say)
                if mine.failed:
                    break
    finally:
        for contestant in running.values():
            contestant.close()
    return results


def _turn(mine: Result, other: Result, running: dict[str, Contestant], seconds: float, say: Say) -> None:
    """Runs one turn of our loader, and one of the other if it is a different one."""
    try:
        own = running[OURS].round(seconds)
    except FailedError as error:
        _fail(mine, str(error), running, say)
        return
    mine.rounds.append(own)
    if other is mine:
        return
    try:
        other.rounds.append(running[other.loader].round(seconds))
        other.pairs.append(own)
    except FailedError as error:
        _fail(other, str(error), running, say)


def _start(result: Result, job: Job, running: dict[str, Contestant], say: Say, open_: Open) -> dict[str, Any] | None:
    """Opens a loader and reads its first epoch; ``None`` if it cannot continue or cannot be checked."""
    name = result.loader
    try:
        if name != RUST:
            result.leaves_out = module(name).leaves_out(job.what)
            result.pip = module(name).PIP
        say(f"{name}: opening")
        contestant = running[name] = open_(name, job)
        result.version = contestant.version
        say(f"{name}: first epoch of {contestant.version}")
        return contestant.check()
    except SkippedError as error:
        result.skipped = str(error)
        say(f"{name}: skipped: {error}")
    except FailedError as error:
        _fail(result, str(error), running, say)
    return None


def _fail(result: Result, why: str, running: dict[str, Contestant], say: Say) -> None:
    result.failed = why
    say(f"{result.loader}: failed: {why}")
    if contestant := running.pop(result.loader, None):
        contestant.close()
