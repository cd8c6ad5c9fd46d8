"""torchdata's StatefulDataLoader around a loader."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import shardmill

from conftest import SAMPLES

torch = pytest.importorskip("torch")
torchdata = pytest.importorskip("torchdata.stateful_dataloader")


class Keys:
    """The samples that reached the training loop. `StatefulDataLoader` passes on only images and labels, so the labels
    and the mean of every image stand for the keys."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []

    def add(self, batch: Any) -> None:
        images, labels = batch
        self.seen += [(int(label), float(image.mean())) for image, label in zip(images, labels, strict=True)]


def loader(shards: Path, batch_size: int = 16, threads: int = 2) -> Any:
    made = shardmill.Loader(shards, crop=24, batch_size=batch_size, threads=threads, seed=3, framework="torch")
    return torchdata.StatefulDataLoader(made, batch_size=None, num_workers=0)


def test_two_resumes_in_the_middle_of_an_epoch_give_what_one_run_does(shards: Path) -> None:
    whole = Keys()
    uninterrupted = loader(shards)
    for _ in range(2):
        for batch in uninterrupted:
            whole.add(batch)
    assert len(whole.seen) == len(set(whole.seen)) == 2 * SAMPLES

    parts = Keys()
    state = None
    # Three runs: two batches, three more, and the rest of two epochs.
    for batches in (2, 3, None):
        run = loader(shards)
        if state is not None:
            run.load_state_dict(pickle.loads(state))
        for number, batch in enumerate(run, 1):
            parts.add(batch)
            if number == batches:
                break
        state = pickle.dumps(run.state_dict())
    for batch in run:
        parts.add(batch)
    assert parts.seen == whole.seen


def test_a_state_goes_on_with_another_batch_size(shards: Path) -> None:
    whole = Keys()
    for batch in loader(shards):
        whole.add(batch)
    run, parts = loader(shards), Keys()
    iteration = iter(run)
    for _ in range(3):
        parts.add(next(iteration))
    other = loader(shards, batch_size=7, threads=0)
    other.load_state_dict(run.state_dict())
    for batch in other:
        parts.add(batch)
    assert parts.seen == whole.seen


def test_a_state_of_an_epochs_end_is_the_next_epoch(shards: Path) -> None:
    run, first, second = loader(shards), Keys(), Keys()
    for batch in run:
        first.add(batch)
    state = run.state_dict()
    for batch in run:
        second.add(batch)
    other, resumed = loader(shards), Keys()
    other.load_state_dict(state)
    for batch in other:
        resumed.add(batch)
    assert resumed.seen == second.seen
    assert sorted(label for label, _ in first.seen) == sorted(label for label, _ in second.seen)
    assert first.seen != second.seen


def test_workers_of_a_stateful_dataloader_read_a_dataset(shards: Path) -> None:
    def run() -> Any:
        dataset = shardmill.Dataset(shards)
        return torchdata.StatefulDataLoader(dataset, batch_size=8, num_workers=2, shuffle=False)

    whole, parts = Keys(), Keys()
    for images, labels in run():
        whole.add((images.float(), labels))
    first = run()
    for number, (images, labels) in enumerate(first, 1):
        parts.add((images.float(), labels))
        if number == 4:
            break
    second = run()
    second.load_state_dict(first.state_dict())
    for images, labels in second:
        parts.add((images.float(), labels))
    assert parts.seen == whole.seen
