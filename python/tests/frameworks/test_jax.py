"""JAX's arrays over the loader's memory."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import shardmill
from shardmill import RandomCrop

from conftest import SAMPLES

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

TYPES = {"float32": jnp.float32, "float16": jnp.float16, "bfloat16": jnp.bfloat16, "uint8": jnp.uint8}


def values_of(images: object) -> np.ndarray:
    return images.bits if isinstance(images, shardmill.BFloat16Array) else images


@pytest.mark.parametrize("output", TYPES)
def test_arrays_are_the_loaders_own_memory(shards: Path, output: str) -> None:
    make = {"augment": RandomCrop(32), "batch_size": 20, "output": output, "layout": "nhwc", "seed": 5}
    batch = next(iter(shardmill.Loader(shards, framework="jax", **make)))
    images, labels = batch
    assert isinstance(images, jax.Array)
    assert images.dtype == TYPES[output]
    assert images.shape == (20, 32, 32, 3)
    assert images.unsafe_buffer_pointer() == values_of(batch._core.images()).ctypes.data
    arrays = next(iter(shardmill.Loader(shards, **make)))
    np.testing.assert_array_equal(np.asarray(images).view(values_of(arrays.images).dtype), values_of(arrays.images))
    assert isinstance(labels, jax.Array)
    np.testing.assert_array_equal(np.asarray(labels), arrays.labels)


@pytest.mark.parametrize("output", TYPES)
def test_a_kept_array_is_never_overwritten(shards: Path, output: str) -> None:
    loader = shardmill.Loader(shards, crop=32, batch_size=10, output=output, threads=2, framework="jax")
    kept = []
    for _ in range(3):
        for images, labels in loader:
            kept.append((images, np.array(images), labels, np.array(labels)))
            del images, labels
    gc.collect()
    assert sum(len(labels) for *_, labels in kept) == 3 * SAMPLES
    for images, was, labels, were in kept:
        np.testing.assert_array_equal(np.asarray(images), was)
        np.testing.assert_array_equal(np.asarray(labels), were)


@pytest.mark.parametrize("output", TYPES)
def test_a_step_under_jit(shards: Path, output: str) -> None:
    @jax.jit
    def step(weights: jax.Array, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        def loss(weights: jax.Array) -> jax.Array:
            inputs = images.astype(jnp.float32).reshape(len(images), -1) / 255
            scores = jax.nn.log_softmax(inputs @ weights)
            return -scores[jnp.arange(len(labels)), labels].mean()

        value, gradient = jax.value_and_grad(loss)(weights)
        return weights - 1e-3 * gradient, value

    loader = shardmill.Loader(shards, augment=RandomCrop(32), batch_size=32, output=output, framework="jax")
    weights = jnp.zeros((3 * 32 * 32, 7))
    for images, labels in loader:
        changed, before = step(weights, images, labels)
        _, after = step(changed, images, labels)
        assert before == pytest.approx(np.log(7), abs=1e-3)
        assert after < before - 1e-3


@pytest.mark.parametrize("output", TYPES)
def test_numpys_batches_become_arrays_through_dlpack(shards: Path, output: str) -> None:
    batch = next(iter(shardmill.Loader(shards, crop=32, batch_size=10, output=output)))
    array = jax.dlpack.from_dlpack(batch.images)
    was = np.array(array)
    del batch
    gc.collect()
    assert array.dtype == TYPES[output]
    np.testing.assert_array_equal(np.asarray(array), was)
