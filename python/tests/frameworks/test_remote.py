"""torch's DataLoader over a dataset in an object store: every worker process makes connections of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import shardmill

from conftest import SAMPLES, picture

torch = pytest.importorskip("torch")

STARTS = ["fork", "spawn"]


def busy(address: str, cache: Path) -> Iterator[shardmill.Batch]:
    """An iteration that has begun: this process has connections to the server and keeps the cache."""
    iteration = iter(shardmill.Loader(address, crop=24, batch_size=10, cache_dir=cache, threads=2))
    next(iteration)
    return iteration


@pytest.mark.parametrize("start", STARTS)
def test_workers_read_records_of_an_address(store: dict[str, str], tmp_path: Path, start: str) -> None:
    dataset = shardmill.Dataset(store["raw"])
    np.testing.assert_array_equal(dataset[0][0], picture(int(dataset.key(0)[-8:-4])))
    iteration = busy(store["raw"], tmp_path)
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, num_workers=2, multiprocessing_context=start)
    numbers = [int(key[-8:-4]) for key in dataset.keys]
    for _ in range(2):
        seen = 0
        for images, labels in loader:
            for image, label in zip(images, labels, strict=True):
                np.testing.assert_array_equal(image.numpy(), picture(numbers[seen]))
                assert label == dataset.labels[seen]
                seen += 1
        assert seen == SAMPLES
    assert sum(len(batch.labels) for batch in iteration) == SAMPLES - 10


class Ranks(torch.utils.data.IterableDataset):
    """A loader in every worker, as a rank of its own, over one cache."""

    def __init__(self, data: str | Path, **settings: object) -> None:
        self.data, self.settings = data, settings

    def __iter__(self) -> Iterator[tuple]:
        worker = torch.utils.data.get_worker_info()
        loader = shardmill.Loader(
            self.data, crop=24, batch_size=8, rank=worker.id, world_size=worker.num_workers, **self.settings
        )
        return iter(loader)


@pytest.mark.parametrize("start", STARTS)
def test_loaders_in_workers_share_a_cache(shards: Path, store: dict[str, str], tmp_path: Path, start: str) -> None:
    make = {"seed": 5, "order": "shards:2", "framework": "torch"}
    iteration = busy(store["raw"], tmp_path)

    def batches(data: Ranks) -> list[tuple[bytes, bytes]]:
        loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=start)
        return [(images.numpy().tobytes(), labels.numpy().tobytes()) for images, labels in loader]

    assert batches(Ranks(store["raw"], cache_dir=tmp_path, **make)) == batches(Ranks(shards, **make))
    assert sum(len(batch.labels) for batch in iteration) == SAMPLES - 10
