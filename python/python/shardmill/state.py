"""The position of a loader, from which another loader can resume."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shardmill.dataset import Dataset
from shardmill.errors import StateError

__all__ = ["Identity", "Position", "read_state", "write_state"]

_VERSION = 1


@dataclass(frozen=True)
class Position:
    """An epoch, and how many of its samples the callers have received, over all ranks."""

    epoch: int
    samples: int


@dataclass(frozen=True)
class Identity:
    """Everything that the order of an epoch depends on: if it is equal, a position means the same samples."""

    data: str
    """Digest of the shards, of the selection from them, and of the weights of a mix."""
    samples: int
    """Samples in an epoch, over all ranks."""
    order: str
    seed: int

    @staticmethod
    def of(parts: Sequence[tuple[Dataset, int]], samples: int, order: str, seed: int) -> Identity:
        """The identity of weighted datasets in an order."""
        digest = hashlib.blake2b(digest_size=16)
        for dataset, weight in parts:
            shards = dataset.manifest["splits"][dataset.split]["shards"]
            names = " ".join(shard["blake3"] for shard in shards)
            weight = weight if len(parts) > 1 else 1
            digest.update(f"{dataset.split} {weight} {names}\n".encode())
            if dataset._origins is not None:
                digest.update(dataset._origins.astype("<u8").tobytes())
        return Identity(digest.hexdigest(), samples, order, seed)


#: How a state can differ from its loader, for messages.
_DIFFERENT = {
    "data": "different shards, a different selection of them or different weights",
    "samples": "an epoch of {state:,} samples, but this loader's has {loader:,}",
    "order": "order={state}, but this loader has order={loader}",
    "seed": "seed={state}, but this loader has seed={loader}",
}


def write_state(position: Position, identity: Identity) -> dict[str, Any]:
    """A state of integers and strings, for JSON, ``torch.save`` and pickle."""
    return {
        "shardmill": _VERSION,
        "epoch": position.epoch,
        "samples": position.samples,
        "identity": {
            "data": identity.data,
            "samples": identity.samples,
            "order": identity.order,
            "seed": identity.seed,
        },
    }


def read_state(state: object, identity: Identity) -> Position:
    """The position in a state, which must belong to the same data in the same order."""
    if not isinstance(state, Mapping) or "shardmill" not in state:
        raise StateError("this is not the state of a shardmill.Loader: give what state_dict() returned")
    version = state["shardmill"]
    if version != _VERSION:
        raise StateError(
            f"the state has version {version!r}, but this release reads version {_VERSION}: use the release that "
            "wrote it, or a newer one"
        )
    known = state.get("identity")
    epoch, samples = state.get("epoch"), state.get("samples")
    sound = isinstance(known, Mapping) and set(known) == set(_DIFFERENT)
    for number in (epoch, samples):
        sound = sound and isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 63
    if not sound or not isinstance(epoch, int) or not isinstance(samples, int):
        raise StateError(
            "the state is damaged: its epoch, samples or identity is missing or invalid; use another checkpoint"
        )
    assert isinstance(known, Mapping)
    for name, text in _DIFFERENT.items():
        here = getattr(identity, name)
        if known[name] != here:
            said = (
                text.format(state=known[name], loader=here)
                if name != "samples" or isinstance(known[name], int)
                else "a different number of samples"
            )
            raise StateError(
                f"the state belongs to a different order of samples ({said}), so this loader cannot resume from it: "
                "make the loader with the same data and settings, or use set_epoch() to start an epoch"
            )
    if samples > identity.samples:
        raise StateError(f"the state is damaged: it counts {samples:,} samples in an epoch of {identity.samples:,}")
    return Position(epoch, samples)
