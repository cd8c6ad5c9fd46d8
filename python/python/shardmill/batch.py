"""A batch, as it is handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from shardmill._core import Batch as CoreBatch

__all__ = ["Batch", "Replaced"]


class Replaced(NamedTuple):
    """A sample that took the place of a damaged one."""

    place: int
    """Its place in the batch."""
    bad: int
    """Index of the damaged sample."""
    by: int
    """Index of the sample that is there instead."""


class Batch(tuple[Any, Any]):
    """``images, labels``, with everything else about the samples as attributes.

    The images are the loader's own memory. It serves a later batch only when they, every view of them and
    every tensor made from them are gone, so a batch may be kept and written to.
    """

    # A subclass of tuple has no room for slots; the attributes are set by `Batch.of`.
    _core: CoreBatch
    _step: int
    _epoch: int
    _color_shift: Any

    @classmethod
    def of(cls, pair: Iterable[Any], core: CoreBatch, *, epoch: int, step: int, color_shift: Any) -> Batch:
        """A batch of the loader's; ``color_shift`` is an array, or makes one when it is asked for."""
        made = cls(pair)
        made._core = core
        made._epoch = epoch
        made._step = step
        made._color_shift = color_shift
        return made

    def __reduce__(self) -> tuple[type[Batch], tuple[tuple[Any, Any]]]:
        return Batch, ((self[0], self[1]),)

    def to(self, device: object, non_blocking: bool = False) -> Batch:
        """The batch with its tensors on a device of torch's, and everything else about its samples. Lightning
        and Accelerate call it."""
        if not all(hasattr(part, "to") for part in self):
            raise TypeError(
                f'only tensors of torch move to {device!r}: give the Loader framework="torch", or device= to have '
                "its batches there"
            )
        pair = [part.to(device, non_blocking=non_blocking) for part in self]
        if "_core" not in self.__dict__:
            return Batch(pair)
        shift = self.color_shift.to(device, non_blocking=non_blocking)
        return Batch.of(pair, self._core, epoch=self._epoch, step=self._step, color_shift=shift)

    def __repr__(self) -> str:
        said = [f"{getattr(part, 'dtype', 'bfloat16')} {list(part.shape)}" for part in self]
        of = f", epoch {self._epoch}, step {self._step}" if "_core" in self.__dict__ else ""
        return f"Batch(images: {said[0]}, labels: {said[1]}{of})"

    def _source(self) -> CoreBatch:
        core: CoreBatch | None = self.__dict__.get("_core")
        if core is None:
            raise AttributeError(
                "this batch was made anew of its two parts, by a library that moved it to a device for instance; "
                "keys, indices and the rest are with the batch that the loader gave"
            )
        return core

    @property
    def images(self) -> Any:
        """The images, in the loader's output, layout and framework."""
        return self[0]

    @property
    def labels(self) -> Any:
        """The labels, int64; -1 in a split without labels."""
        return self[1]

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Index of each sample in the dataset; in a mix, see :meth:`shardmill.Loader.locate`."""
        return self._source().indices()

    @property
    def keys(self) -> list[str]:
        """Key of each sample: the name of its source."""
        return self._source().keys()

    @property
    def color_shift(self) -> Any:
        """With ``output="uint8"``: float32 ``[rows, 3]``, the colour noise of each row, already divided by the
        standard deviation. A byte ``v`` of channel ``c`` is finished by ``(v - mean[c]) / std[c] + shift[c]``.
        Without rows for floats, which have the noise in them."""
        self._source()
        if callable(self._color_shift):
            self._color_shift = self._color_shift()
        return self._color_shift

    @property
    def areas(self) -> npt.NDArray[np.int32]:
        """The part of its record that each row shows, int32 ``[rows, 5]``: top, left, height, width, and 1
        where it is mirrored."""
        return self._source().areas()

    @property
    def valid(self) -> int:
        """Samples that are not padding; they come first."""
        return self._source().valid

    @property
    def replaced(self) -> list[Replaced]:
        """Samples that took a damaged one's place (``on_bad_record="replace"``)."""
        return [Replaced(*one) for one in self._source().replaced()]

    @property
    def epoch(self) -> int:
        """The epoch that it belongs to."""
        self._source()
        return self._epoch

    @property
    def step(self) -> int:
        """Number of the batch in its iteration, from 0; where the iteration went on from a state, from there."""
        self._source()
        return self._step
