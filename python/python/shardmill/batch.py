"""A batch, as the loader returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from shardmill._core import Batch as CoreBatch

__all__ = ["Batch", "Replaced"]


class Replaced(NamedTuple):
    """A sample that replaces a damaged one."""

    place: int
    """Its place in the batch."""
    bad: int
    """Index of the damaged sample."""
    by: int
    """Index of the sample that replaces it."""


class Batch(tuple[Any, Any]):
    """``images, labels``, with everything else about the samples as attributes.

    The images are the loader's own memory. The loader reuses it for a later batch only when the images, every
    view of them and every tensor made from them are gone, so you may keep a batch and write to it.
    """

    # A subclass of tuple cannot have slots; `Batch.of` sets the attributes.
    _core: CoreBatch
    _step: int
    _epoch: int
    _color_shift: Any

    @classmethod
    def of(cls, pair: Iterable[Any], core: CoreBatch, *, epoch: int, step: int, color_shift: Any) -> Batch:
        """Makes a batch of the loader; ``color_shift`` is an array, or a function that makes one on demand."""
        made = cls(pair)
        made._core = core
        made._epoch = epoch
        made._step = step
        made._color_shift = color_shift
        return made

    def __reduce__(self) -> tuple[type[Batch], tuple[tuple[Any, Any]]]:
        return Batch, ((self[0], self[1]),)

    def to(self, device: object, non_blocking: bool = False) -> Batch:
        """The batch with its tensors moved to a torch device, and with the same attributes. Lightning and
        Accelerate call it."""
        if not all(hasattr(part, "to") for part in self):
            raise TypeError(
                f'only torch tensors can move to {device!r}: give the Loader framework="torch", or device= to get '
                "batches that are already there"
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
                "this batch is a copy of the images and labels alone, made for example by a library that moved it to "
                "a device; keys, indices and the rest are attributes of the batch that the loader returned"
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
        """Key of each sample: the path of its image in the source."""
        return self._source().keys()

    @property
    def color_shift(self) -> Any:
        """With ``output="uint8"``: float32 ``[rows, 3]``, the colour noise of each row, already divided by the
        standard deviation. The value of a byte ``v`` of channel ``c`` is ``(v - mean[c]) / std[c] + shift[c]``.
        It has no rows for other outputs, whose values include the noise."""
        self._source()
        if callable(self._color_shift):
            self._color_shift = self._color_shift()
        return self._color_shift

    @property
    def areas(self) -> npt.NDArray[np.int32]:
        """The part of its record that each row shows, int32 ``[rows, 5]``: top, left, height, width, and 1
        if it is flipped."""
        return self._source().areas()

    @property
    def valid(self) -> int:
        """Number of samples that are not padding; they come first."""
        return self._source().valid

    @property
    def replaced(self) -> list[Replaced]:
        """Samples that replace damaged ones (``on_bad_record="replace"``)."""
        return [Replaced(*one) for one in self._source().replaced()]

    @property
    def epoch(self) -> int:
        """The epoch of the batch."""
        self._source()
        return self._epoch

    @property
    def step(self) -> int:
        """Number of the batch in its iteration, from 0; an iteration resumed from a state starts at 0 again."""
        self._source()
        return self._step
