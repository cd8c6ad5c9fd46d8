"""Tensors over the loader's memory."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import shardmill
from shardmill import CenterCrop, RandomCrop

from conftest import SAMPLES

torch = pytest.importorskip("torch")

TYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "uint8": torch.uint8,
}


@pytest.mark.parametrize("output", TYPES)
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_tensors_are_the_loaders_own_memory(shards: Path, output: str, layout: str) -> None:
    make = {"augment": RandomCrop(32), "batch_size": 20, "output": output, "layout": layout, "seed": 5}
    loader = shardmill.Loader(shards, framework="torch", **make)
    batch = next(iter(loader))
    images, labels = batch
    assert images.dtype == TYPES[output]
    assert labels.dtype == torch.int64
    assert images.shape == ((20, 3, 32, 32) if layout == "nchw" else (20, 32, 32, 3))
    assert images.is_contiguous()
    lent = batch._core.images()
    bits = lent.bits if output == "bfloat16" else lent
    assert images.data_ptr() == bits.ctypes.data
    # The same values as numpy's.
    arrays = next(iter(shardmill.Loader(shards, **make)))
    expected = arrays.images.bits if output == "bfloat16" else arrays.images
    ours = images.view(torch.int16).numpy().view(np.uint16) if output == "bfloat16" else images.numpy()
    np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(labels.numpy(), arrays.labels)


def test_bfloat16_values_are_the_floats_rounded(shards: Path) -> None:
    make = {"augment": CenterCrop(32), "normalize": "imagenet", "framework": "torch", "order": "sequential"}
    floats = next(iter(shardmill.Loader(shards, **make))).images
    rounded = next(iter(shardmill.Loader(shards, output="bfloat16", **make))).images
    assert torch.equal(rounded, floats.to(torch.bfloat16))


@pytest.mark.parametrize("output", TYPES)
def test_a_kept_tensor_is_never_overwritten(shards: Path, output: str) -> None:
    loader = shardmill.Loader(
        shards, crop=32, batch_size=10, output=output, threads=2, framework="torch", normalize="imagenet"
    )
    kept, copies = [], []
    for number in range(4):
        for images, labels in loader:
            # A tensor, a view of it, one that torch made of a numpy view, and one through DLPack.
            one = [
                lambda t: t,
                lambda t: t[1:, 0].transpose(1, 2),
                lambda t: t.view(torch.uint8),
                torch.from_dlpack,
            ][number](images)
            kept.append((one, labels))
            copies.append((one.clone(), labels.clone()))
            del images
    gc.collect()
    for (one, labels), (was, was_labels) in zip(kept, copies, strict=True):
        assert torch.equal(one, was)
        assert torch.equal(labels, was_labels)


def test_memory_serves_again_once_the_tensors_are_gone(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, threads=1, framework="torch")
    found = set()
    for _ in range(4):
        for images, _ in loader:
            found.add(images.data_ptr())
            del images
    assert len(found) <= 4


@pytest.mark.parametrize("output", TYPES)
def test_writing_to_a_tensor_changes_that_batch_alone(shards: Path, output: str) -> None:
    make = {"crop": 32, "batch_size": 10, "threads": 2, "output": output, "framework": "torch"}
    clean = [images.clone() for images, _ in shardmill.Loader(shards, **make)]
    loader = shardmill.Loader(shards, **make)
    for _ in range(2):
        loader.set_epoch(0)
        for (images, labels), expected in zip(loader, clean, strict=True):
            assert torch.equal(images, expected)
            images.zero_()
            labels.fill_(-7)


@pytest.mark.parametrize("output", TYPES)
def test_numpys_batches_become_tensors_through_dlpack(shards: Path, output: str) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, output=output)
    kept = []
    for images, labels in loader:
        tensor = torch.from_dlpack(images)
        assert tensor.dtype == TYPES[output]
        address = images.bits.ctypes.data if output == "bfloat16" else images.ctypes.data
        assert tensor.data_ptr() == address
        del images
        kept.append((tensor, tensor.clone(), labels))
    gc.collect()
    assert sum(len(labels) for *_, labels in kept) == SAMPLES
    for tensor, was, _ in kept:
        assert torch.equal(tensor, was)


def test_bfloat16_over_dlpack_keeps_its_memory_alone(shards: Path) -> None:
    batch = next(iter(shardmill.Loader(shards, crop=32, batch_size=10, output="bfloat16")))
    tensor = torch.from_dlpack(batch.images)
    was = tensor.clone()
    # A capsule that nobody takes gives back what it holds.
    capsule = batch.images.__dlpack__()
    del batch, capsule
    gc.collect()
    assert torch.equal(tensor, was)
    tensor += 1
    assert not torch.equal(tensor, was)


def test_training_on_tensors_is_training_on_arrays(shards: Path) -> None:
    def losses(framework: str) -> list[float]:
        torch.manual_seed(0)
        loader = shardmill.Loader(
            shards, augment=RandomCrop(32), batch_size=32, normalize="imagenet", framework=framework
        )
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 7))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        found = []
        for _ in range(3):
            for images, labels in loader:
                inputs, targets = torch.as_tensor(images), torch.as_tensor(labels)
                loss = torch.nn.functional.cross_entropy(model(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                found.append(float(loss.detach()))
        return found

    tensors = losses("torch")
    assert len(set(tensors)) == 3 * 5
    assert tensors == losses("numpy")


def test_a_batch_moves_to_a_device_with_all_that_is_known_of_it(shards: Path) -> None:
    make = {"augment": RandomCrop(24), "batch_size": 20, "output": "uint8"}
    batch = next(iter(shardmill.Loader(shards, framework="torch", **make)))
    # A device without memory shows that the tensors are others.
    moved = batch.to("meta", non_blocking=True)
    assert type(moved) is shardmill.Batch
    assert {moved.images.device, moved.labels.device, moved.color_shift.device} == {torch.device("meta")}
    assert (moved.keys, moved.step, moved.epoch, moved.valid) == (batch.keys, 0, 0, 20)
    assert moved.color_shift.shape == batch.color_shift.shape == (20, 3)
    assert type(batch)(list(batch)).to("cpu").labels is batch.labels
    with pytest.raises(TypeError, match="framework="):
        next(iter(shardmill.Loader(shards, **make))).to("cpu")
