"""Resuming from a state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import SAMPLES


def epoch_of(loaders: list[shardmill.Loader]) -> tuple[list[str], np.ndarray]:
    """The remaining samples of the loaders of all ranks, in the order of the epoch."""
    keys, images = [], []
    for batches in zip(*loaders, strict=True):
        for batch in batches:
            keys += batch.keys[: batch.valid]
            images.append(batch.images[: batch.valid].copy())
    return keys, np.concatenate(images)


def loaders(shards: Path, size: int, ranks: int = 1, threads: int = 2, **more: object) -> list[shardmill.Loader]:
    return [
        shardmill.Loader(shards, crop=24, batch_size=size, threads=threads, seed=7, rank=rank, world_size=ranks, **more)
        for rank in range(ranks)
    ]


@pytest.mark.parametrize("taken", [1, 3, 6])
@pytest.mark.parametrize(
    ("size", "ranks", "threads"), [(20, 1, 2), (20, 1, 0), (7, 1, 3), (64, 1, 1), (9, 2, 2), (5, 4, 1)]
)
def test_a_state_goes_on_with_other_sizes_ranks_and_threads(
    shards: Path, taken: int, size: int, ranks: int, threads: int
) -> None:
    keys, images = epoch_of(loaders(shards, 20))
    (first,) = loaders(shards, 20)
    iteration = iter(first)
    for _ in range(taken):
        next(iteration)
    state = json.loads(json.dumps(first.state_dict()))
    others = loaders(shards, size, ranks, threads)
    for other in others:
        other.load_state_dict(state)
        assert other.state_dict() == state
    rest_keys, rest_images = epoch_of(others)
    assert rest_keys == keys[20 * taken :]
    np.testing.assert_array_equal(rest_images, images[20 * taken :])


def test_a_state_of_two_ranks_goes_on_in_one(shards: Path) -> None:
    keys, _ = epoch_of(loaders(shards, 20))
    pair = loaders(shards, 8, 2)
    iterations = [iter(loader) for loader in pair]
    for _ in range(3):
        for iteration in iterations:
            next(iteration)
    states = [loader.state_dict() for loader in pair]
    assert states[0] == states[1]
    (one,) = loaders(shards, 11)
    one.load_state_dict(states[0])
    assert epoch_of([one])[0] == keys[48:]


def test_a_state_counts_what_was_handed_out_and_not_what_is_ready(shards: Path) -> None:
    (loader,) = loaders(shards, 10, prefetch=4)
    iteration = iter(loader)
    assert loader.state_dict()["samples"] == 0
    next(iteration)
    assert loader.state_dict()["samples"] == 10
    next(iteration)
    assert loader.state_dict()["samples"] == 20


def test_after_the_last_batch_a_state_is_the_next_epoch(shards: Path) -> None:
    (loader,) = loaders(shards, 50)
    iteration = iter(loader)
    for _ in range(len(loader)):
        next(iteration)
    # The end was not yet asked for.
    state = loader.state_dict()
    assert (state["epoch"], state["samples"]) == (1, 0)
    assert next(iteration, None) is None
    assert loader.state_dict() == state
    (other,) = loaders(shards, 50)
    other.load_state_dict(state)
    assert other.epoch == 1
    expected = epoch_of([loader])[0]
    assert epoch_of([other])[0] == expected


def test_a_second_resume_goes_on_where_the_first_did(shards: Path) -> None:
    keys, _ = epoch_of(loaders(shards, 10))
    seen: list[str] = []
    state = None
    for size in (10, 4, 9, 10, 3):
        (loader,) = loaders(shards, size)
        if state is not None:
            loader.load_state_dict(state)
        for number, batch in enumerate(loader):
            seen += batch.keys
            if number == 1:
                break
        state = loader.state_dict()
    (loader,) = loaders(shards, 30)
    loader.load_state_dict(state)
    seen += epoch_of([loader])[0]
    assert seen == keys
    assert loader.epoch == 1
    # The epoch after it is whole.
    assert len(epoch_of([loader])[0]) == SAMPLES


def test_set_epoch_keeps_a_state_of_that_epoch_and_says_what_it_drops(shards: Path) -> None:
    (loader,) = loaders(shards, 10)
    loader.set_epoch(3)
    iteration = iter(loader)
    next(iteration)
    state = loader.state_dict()
    (other,) = loaders(shards, 10)
    other.load_state_dict(state)
    other.set_epoch(3)
    assert next(iter(other)).keys == next(iteration).keys
    other.load_state_dict(state)
    with pytest.warns(shardmill.StateWarning, match="middle of epoch 3"):
        other.sampler.set_epoch(4)
    assert sum(len(batch.labels) for batch in other) == SAMPLES


def test_a_mix_goes_on_too(shards: Path) -> None:
    dataset = shardmill.Dataset(shards)
    data = [(dataset.select(range(40)), 2), (dataset.select(range(40, SAMPLES)), 1)]
    first = shardmill.Loader(data, crop=24, batch_size=12)
    indices = np.concatenate([batch.indices for batch in first])
    first.set_epoch(0)
    iteration = iter(first)
    next(iteration), next(iteration)
    other = shardmill.Loader(data, crop=24, batch_size=5)
    other.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(np.concatenate([batch.indices for batch in other]), indices[24:])


def test_a_state_of_something_else_is_refused(shards: Path, jpegs: Path) -> None:
    (loader,) = loaders(shards, 10)
    state = loader.state_dict()

    def refused(by: shardmill.Loader, given: object, words: str) -> None:
        with pytest.raises(shardmill.StateError, match=words):
            by.load_state_dict(given)

    refused(shardmill.Loader(shards, crop=24, seed=8), state, "seed=7, but this loader has seed=8")
    refused(shardmill.Loader(jpegs, crop=24, seed=7), state, "different shards")
    refused(shardmill.Loader(shards, crop=24, seed=7, order="blocks"), state, "order=global")
    refused(shardmill.Loader(shardmill.Dataset(shards).select(range(9)), crop=24, seed=7), state, "selection")
    refused(loader, {"epoch": 3}, "not the state of a shardmill.Loader")
    refused(loader, None, "not the state of a shardmill.Loader")
    refused(loader, {**state, "shardmill": 9}, "version 9")
    refused(loader, {**state, "samples": -1}, "damaged")
    refused(loader, {**state, "samples": SAMPLES + 1}, "damaged")
    refused(loader, {**state, "epoch": True}, "damaged")
    refused(loader, {**state, "identity": {}}, "damaged")
    # The refused states changed nothing.
    assert loader.state_dict() == state


def test_set_epoch_moves_an_iteration_that_was_not_read_from(shards: Path) -> None:
    (loader,) = loaders(shards, 10)
    expected = []
    for epoch in range(3):
        assert loader.epoch == epoch
        expected.append([batch.keys for batch in loader])
    loader.set_epoch(0)
    iteration = iter(loader)
    loader.set_epoch(2)
    assert loader.state_dict()["epoch"] == 2
    assert next(iteration).keys == expected[2][0]
    # Now it is running, so set_epoch applies to the next iteration.
    loader.set_epoch(1)
    assert next(iteration).keys == expected[2][1]
    assert next(iter(loader)).keys == expected[1][0]
    # The position from a state is kept.
    loader.load_state_dict({**loader.state_dict(), "epoch": 0, "samples": 20})
    iteration = iter(loader)
    loader.set_epoch(0)
    assert next(iteration).keys == expected[0][2]
    loader.load_state_dict({**loader.state_dict(), "epoch": 0, "samples": 20})
    iteration = iter(loader)
    with pytest.warns(shardmill.StateWarning, match="middle of epoch 0"):
        loader.set_epoch(1)
    assert next(iteration).keys == expected[1][0]


def test_after_the_last_batch_the_next_iteration_is_the_next_epoch(shards: Path) -> None:
    (loader,) = loaders(shards, 50)
    iteration = iter(loader)
    for _ in range(len(loader)):
        next(iteration)
    # As Lightning does: the end was not asked for.
    assert loader.epoch == loader.state_dict()["epoch"] == 1
    assert next(iter(loader)).epoch == 1
    assert list(iteration) == []
    assert loader.epoch == 1


def test_a_state_that_is_loaded_holds_though_an_older_iteration_goes_on(shards: Path) -> None:
    (loader,) = loaders(shards, 20)
    old = iter(loader)
    next(old)
    state = {**loader.state_dict(), "epoch": 2, "samples": 40}
    loader.load_state_dict(state)
    assert sum(1 for _ in old) == len(loader) - 1
    assert loader.state_dict() == state
    assert loader.epoch == 2


def test_blocks_by_name_and_by_numbers_are_one_order(shards: Path) -> None:
    state = loaders(shards, 20, order="blocks")[0].state_dict()
    (other,) = loaders(shards, 20, order=shardmill.Blocks())
    other.load_state_dict(state)
