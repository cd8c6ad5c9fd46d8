"""A training step under ``jit`` on batches that JAX imports without a copy: ``python jax_step.py SHARDS``."""

import sys

import jax
import jax.numpy as jnp

import shardmill

# bfloat16 [64, 224, 224, 3]; "float32", "float16" and "uint8" work in the same way.
loader = shardmill.Loader(
    sys.argv[1], batch_size=64, output="bfloat16", layout="nhwc", normalize="imagenet", framework="jax"
)
classes = len(loader.datasets[0].classes)


def loss_of(weights: jax.Array, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The loss of a linear network over the mean colours of a 14x14 grid."""
    grid = images.reshape(len(images), 14, 16, 14, 16, 3).mean((2, 4), dtype=jnp.float32)
    scores = jax.nn.log_softmax(grid.reshape(len(images), -1) @ weights)
    return -scores[jnp.arange(len(labels)), labels].mean()


@jax.jit
def step(weights: jax.Array, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """One step of gradient descent."""
    loss, gradient = jax.value_and_grad(loss_of)(weights, images, labels)
    return weights - 0.01 * gradient, loss


weights = jnp.zeros((14 * 14 * 3, classes))
for epoch in range(3):
    losses = []
    for images, labels in loader:
        weights, loss = step(weights, images, labels)
        losses.append(loss)
    print(f"epoch {epoch}: {images.dtype} {images.shape}, mean loss {float(jnp.stack(losses).mean()):.3f}")
