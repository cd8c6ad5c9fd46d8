"""torch's DataLoader: worker processes over a dataset, and a loader in right and wrong places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shardmill

from conftest import SAMPLES, SIDE, picture

torch = pytest.importorskip("torch")

STARTS = ["fork", "spawn", "forkserver"]


def crop(image: np.ndarray) -> Any:
    """The top left corner, as a float tensor CHW."""
    return torch.from_numpy(image[:8, :8].copy()).permute(2, 0, 1).float()


class WithIndex(torch.utils.data.Dataset):
    """Also gives the index of the sample, which a DataLoader does not."""

    def __init__(self, dataset: shardmill.Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, indices: list[int]) -> list[tuple[Any, int, int]]:
        samples = self.dataset.__getitems__(indices)
        return [(image, label, index) for (image, label), index in zip(samples, indices, strict=True)]


@pytest.mark.parametrize("start", STARTS)
def test_each_sample_comes_once_an_epoch(shards: Path, start: str) -> None:
    dataset = shardmill.Dataset(shards)
    loader = torch.utils.data.DataLoader(
        WithIndex(dataset),
        batch_size=8,
        shuffle=True,
        num_workers=2,
        multiprocessing_context=start,
        persistent_workers=True,
    )
    orders = []
    for _ in range(2):
        seen = []
        for images, labels, indices in loader:
            assert images.dtype == torch.uint8
            assert images.shape[1:] == (SIDE, SIDE, 3)
            for image, label, index in zip(images, labels, indices, strict=True):
                number = int(dataset.key(int(index))[-8:-4])
                np.testing.assert_array_equal(image.numpy(), picture(number))
                assert label == dataset.labels[index]
            seen += indices.tolist()
        assert sorted(seen) == list(range(SAMPLES))
        orders.append(seen)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("start", [None, *STARTS])
def test_a_dataset_and_its_transform_go_to_the_workers(shards: Path, start: str | None) -> None:
    dataset = shardmill.Dataset(shards, transform=crop).filter_classes(["class1", "class4"])
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=4, num_workers=2 if start else 0, multiprocessing_context=start
    )
    corners = []
    for images, labels in loader:
        assert images.dtype == torch.float32
        assert set(labels.tolist()) <= {1, 4}
        corners += [image.numpy().tobytes() for image in images]
    expected = [crop(picture(int(key[-8:-4]))).numpy().tobytes() for key in dataset.keys]
    # Without shuffle a DataLoader keeps the order, whichever worker is faster.
    assert corners == expected
    assert len(corners) == sum(1 for number in range(SAMPLES) if number % 7 in (1, 4))


def test_a_distributed_sampler_shares_a_dataset_out(shards: Path) -> None:
    dataset = WithIndex(shardmill.Dataset(shards))
    seen: Counter[int] = Counter()
    for rank in range(2):
        sampler = torch.utils.data.distributed.DistributedSampler(dataset, num_replicas=2, rank=rank, drop_last=True)
        for *_, indices in torch.utils.data.DataLoader(dataset, batch_size=10, sampler=sampler):
            seen.update(indices.tolist())
    assert set(seen.values()) == {1}
    assert len(seen) == SAMPLES - SAMPLES % 2


def test_a_loader_given_to_forked_workers_says_what_to_do(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=24, batch_size=16)
    workers = torch.utils.data.DataLoader(loader, batch_size=None, num_workers=2, multiprocessing_context="fork")
    with pytest.raises(shardmill.ForkedError, match="num_workers=0") as caught:
        list(workers)
    assert "shardmill.Dataset" in str(caught.value)
    # It is as good as before where it was made.
    assert sum(len(batch.labels) for batch in loader) == SAMPLES


def test_a_loader_given_to_spawned_workers_says_what_to_do(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=24, batch_size=16)
    workers = torch.utils.data.DataLoader(loader, batch_size=None, num_workers=2, multiprocessing_context="spawn")
    with pytest.raises(TypeError, match=r"cannot be pickled.*num_workers=0.*shardmill.Dataset"):
        list(workers)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_loader_in_a_dataloader_without_workers(shards: Path, framework: str) -> None:
    make = {"crop": 24, "batch_size": 16, "framework": framework}
    expected = [
        (torch.as_tensor(images), torch.as_tensor(labels)) for images, labels in shardmill.Loader(shards, **make)
    ]
    loader = torch.utils.data.DataLoader(shardmill.Loader(shards, **make), batch_size=None)
    assert len(loader) == len(expected)
    for _ in range(2):
        given = list(loader)
        assert len(given) == len(expected)
        loader.dataset.set_epoch(0)
    for (images, labels), (were, labels_were) in zip(given, expected, strict=True):
        assert torch.equal(images, were)
        assert torch.equal(labels, labels_were)


class MadeInTheWorker(torch.utils.data.IterableDataset):
    def __init__(self, shards: Path, **settings: int) -> None:
        self.shards, self.settings = shards, settings

    def __iter__(self) -> Iterator[tuple]:
        return iter(shardmill.Loader(self.shards, crop=32, **self.settings))


def test_a_loader_made_in_a_worker_says_that_each_would_give_everything(shards: Path) -> None:
    loader = torch.utils.data.DataLoader(MadeInTheWorker(shards), batch_size=None, num_workers=2)
    with pytest.raises(shardmill.SettingError, match="worker 0 of 2"):
        next(iter(loader))
    given = MadeInTheWorker(shards, rank=0, world_size=1)
    assert next(iter(torch.utils.data.DataLoader(given, batch_size=None, num_workers=1)))[1].shape == (128,)
