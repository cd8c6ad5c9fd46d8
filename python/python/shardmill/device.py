"""Batches on a device of torch's, one ahead of the caller.

The host makes bytes; they go through pinned memory and a stream of their own, and are finished on the device:
normalised, with the colour noise added, in the type that was asked for. So a quarter of the bytes of float32
crosses the bus, while the device works on the batch before.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shardmill.batch import Batch
from shardmill.errors import SettingError

if TYPE_CHECKING:
    from shardmill import _core
    from shardmill.loader import Iteration

__all__ = ["Device"]

#: Pinned buffers: one is filled while the other's copy may be under way.
_STAGES = 2


class Device:
    """A device, and how batches are finished on it."""

    def __init__(self, device: object, settings: dict[str, Any], views: int) -> None:
        self._torch: Any = importlib.import_module("torch")
        torch = self._torch
        try:
            self._device = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise SettingError(f"device is {device!r}, which torch does not know: {error}") from error
        if self._device.type not in ("cpu", "cuda"):
            raise SettingError(f'device is {device!r}; choose "cuda", "cuda:N" or "cpu"')
        self._cuda = self._device.type == "cuda"
        if self._cuda and not torch.cuda.is_available():
            raise SettingError(
                f"device is {device!r}, but torch sees no CUDA device: leave device out to get host batches"
            )
        if self._cuda and (self._device.index or 0) >= torch.cuda.device_count():
            raise SettingError(f"device is {device!r}, but torch sees {torch.cuda.device_count()} CUDA devices")
        output = settings["output"]
        self._type = None if output == "uint8" else getattr(torch, output)
        before = 1 if views == 1 else 2
        after = (3, 1, 1) if settings["layout"] == "nchw" else (1, 1, 3)
        self._shape = (1,) * before + after
        self._shift_shape = (-1, *([views] if views > 1 else []), *after)
        self._mean = self._constant(settings["mean"])
        self._scale = 1 / self._constant(settings["std"])
        self._staging: list[Any] = [None] * _STAGES
        self._copied: list[Any] = [None] * _STAGES

    def _constant(self, values: list[float]) -> Any:
        torch = self._torch
        return torch.tensor(values, dtype=torch.float32, device=self._device).reshape(self._shape)

    def feed(self, iteration: Iteration) -> Iterator[Batch]:
        """The batches of an iteration on the device; one is on its way while the caller works on another."""
        stream = self._torch.cuda.Stream(self._device) if self._cuda else None
        ahead = self._send(iteration, 0, stream)
        number = 1
        try:
            while ahead is not None:
                batch, core, done = ahead
                ahead = self._send(iteration, number, stream)
                number += 1
                if done is not None:
                    current = self._torch.cuda.current_stream(self._device)
                    current.wait_event(done)
                    # The memory is used again for another batch only after the caller's stream is through.
                    for tensor in (batch[0], batch[1]):
                        tensor.record_stream(current)
                iteration._hand_out(core)
                yield batch
            iteration._finish()
        finally:
            iteration.close()

    def _send(self, iteration: Iteration, number: int, stream: Any) -> tuple[Batch, _core.Batch, Any] | None:
        """Takes a batch and begins to move it; with the event that ends the move."""
        taken = iteration._take()
        if taken is None:
            return None
        core, step = taken
        torch = self._torch
        bytes_ = torch.from_numpy(core.images())
        labels = torch.from_numpy(core.labels())
        shift = torch.from_numpy(core.color_shift())
        with torch.cuda.stream(stream) if stream is not None else contextlib.nullcontext():
            if stream is not None:
                bytes_ = self._staged(bytes_, number % _STAGES, stream)
            images = self._finish(bytes_, shift)
            labels = labels.to(self._device, non_blocking=True)
            done = stream.record_event() if stream is not None else None
        color_shift = shift.to(self._device) if self._type is None else None
        batch = Batch.of((images, labels), core, epoch=iteration.epoch, step=step, color_shift=color_shift)
        return batch, core, done

    def _staged(self, host: Any, stage: int, stream: Any) -> Any:
        """The bytes on the device, by way of pinned memory."""
        torch = self._torch
        pinned = self._staging[stage]
        if pinned is None or pinned.numel() < host.numel():
            pinned = torch.empty(host.numel(), dtype=torch.uint8, pin_memory=True)
            self._staging[stage] = pinned
        elif self._copied[stage] is not None:
            self._copied[stage].synchronize()
        view = pinned[: host.numel()].view(host.shape)
        view.copy_(host)
        moved = view.to(self._device, non_blocking=True)
        self._copied[stage] = stream.record_event()
        return moved

    def _finish(self, bytes_: Any, shift: Any) -> Any:
        """Bytes as normalised values with the colour noise."""
        torch = self._torch
        if self._type is None:
            return bytes_.to(self._device)
        shift = shift.to(self._device, non_blocking=True).reshape(self._shift_shape)
        values = bytes_.to(self._device).to(torch.float32)
        return values.sub_(self._mean).mul_(self._scale).add_(shift).to(self._type)
