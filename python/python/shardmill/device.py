"""Batches on a torch device, one ahead of the caller.

The host makes bytes. They go through pinned memory and a separate stream to the device, which normalises them,
adds the colour noise and converts them to the requested type. So a quarter of the bytes of float32 crosses the
bus, while the device works on the previous batch.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from shardmill.batch import Batch
from shardmill.errors import ConcurrentUseError, SettingError, ShardmillError

if TYPE_CHECKING:
    from shardmill import _core
    from shardmill.iteration import Iteration

__all__ = ["Device", "Feed"]

#: Batches that are taken before the first of them is returned: that one, and the one being uploaded.
_AHEAD = 2
#: Sets of pinned buffers: one is filled while the copy from the other may be in progress.
_STAGES = 2


class Device:
    """A device, and how it finishes batches."""

    def __init__(self, device: object, settings: dict[str, Any], views: int) -> None:
        torch = importlib.import_module("torch")
        try:
            self.device = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise SettingError(f"device is {device!r}, which torch does not know: {error}") from error
        if self.device.type not in ("cpu", "cuda"):
            raise SettingError(f'device is {device!r}; choose "cuda", "cuda:N" or "cpu"')
        self.is_cuda = self.device.type == "cuda"
        if self.is_cuda and not torch.cuda.is_available():
            raise SettingError(
                f"device is {device!r}, but torch sees no CUDA device: omit device to get batches on the host"
            )
        if self.is_cuda and (self.device.index or 0) >= torch.cuda.device_count():
            raise SettingError(f"device is {device!r}, but torch sees {torch.cuda.device_count()} CUDA devices")
        output = settings["output"]
        self.type: Any = None if output == "uint8" else getattr(torch, output)
        """Type of the values; ``None`` for bytes."""
        before = 1 if views == 1 else 2
        after = (3, 1, 1) if settings["layout"] == "nchw" else (1, 1, 3)
        shape = (1,) * before + after
        self.shift_shape = (-1, *([views] if views > 1 else []), *after)
        # On the host, since the current device, which "cuda" means, may still change.
        self.mean = torch.tensor(settings["mean"], dtype=torch.float32).reshape(shape)
        self.scale = 1 / torch.tensor(settings["std"], dtype=torch.float32).reshape(shape)
        self.torch = torch

    def feed(self, iteration: Iteration) -> Feed:
        """The batches of an iteration on the device."""
        return Feed(self, iteration)


class _Sent(NamedTuple):
    """A batch whose upload to the device has started."""

    batch: Batch
    core: _core.Batch
    tensors: tuple[Any, ...]
    """The tensors that are returned."""
    done: Any
    """The event at the end of the upload; ``None`` on the CPU."""


class Feed(Iterator[Batch]):
    """The batches of an iteration on a device; one is uploaded while the caller works on another.

    Streams: all allocations and work for a batch are on ``_stream``. When the batch is returned, the caller's
    stream waits for it, and the batch's memory is reused only after the caller's stream has finished with it
    (``record_stream``). In turn, ``_stream`` starts a batch only when the caller's stream has finished with every
    batch before the latest, so that a caller who never waits for the device does not fill its memory.
    """

    def __init__(self, device: Device, iteration: Iteration) -> None:
        self._settings = device
        self._torch = torch = device.torch
        self._iteration = iteration
        self._sent: deque[_Sent] = deque()
        self._ended = False
        self._error: Exception | None = None
        # Two threads would fill the same pinned buffers.
        self._busy = threading.Lock()
        self._stream: Any = None
        self._device = device.device
        if device.is_cuda:
            # "cuda" is torch's current device, which may change later.
            index = torch.cuda.current_device() if self._device.index is None else self._device.index
            self._device = torch.device("cuda", index)
            self._stream = torch.cuda.Stream(self._device)
        self._stages = [_Stage(torch, self._device) for _ in range(_STAGES)]
        self._number = 0
        # The caller's stream when the latest batch was returned.
        self._handed: Any = None
        with self._own_stream():
            self._mean = device.mean.to(self._device)
            self._scale = device.scale.to(self._device)

    def __next__(self) -> Batch:
        if not self._busy.acquire(blocking=False):
            raise ConcurrentUseError(
                "another thread is waiting for a batch of this iteration: give each thread its own Loader, or put a "
                "lock around next()"
            )
        try:
            return self._next()
        finally:
            self._busy.release()

    def _next(self) -> Batch:
        self._iteration._loader._check()
        while len(self._sent) < _AHEAD and not self._ended and self._error is None:
            self._fill()
        if self._sent:
            return self._hand_out(self._sent.popleft())
        if self._error is not None:
            # The batches before it have been returned.
            error, self._error, self._ended = self._error, None, True
            raise error
        self._iteration._finish()
        raise StopIteration

    def _hand_out(self, sent: _Sent) -> Batch:
        if self._stream is not None:
            current = self._torch.cuda.current_stream(self._device)
            current.wait_event(sent.done)
            for tensor in sent.tensors:
                tensor.record_stream(current)
            self._handed = current.record_event()
        self._iteration._hand_out(sent.core)
        return sent.batch

    def _fill(self) -> None:
        """Takes a batch and starts its upload."""
        try:
            taken = self._iteration._take()
        except ShardmillError as error:
            # It is raised after the batches before it have been returned.
            self._error = error
            return
        if taken is None:
            self._ended = True
            return
        try:
            self._sent.append(self._send(*taken))
        except BaseException as error:
            # This batch is lost, so none may follow it: the position in the epoch would be wrong.
            self._iteration.close()
            if not isinstance(error, Exception):
                raise
            self._error = error

    def _send(self, core: _core.Batch, step: int) -> _Sent:
        torch = self._torch
        arrays = (core.images(), core.labels(), core.color_shift())
        hosts = [torch.from_numpy(array) for array in arrays]
        done = None
        with self._own_stream():
            if self._stream is None:
                values, labels, shift = hosts
            else:
                if self._handed is not None:
                    self._stream.wait_event(self._handed)
                stage = self._stages[self._number % _STAGES]
                values, labels, shift = stage.move(hosts, self._stream)
            self._number += 1
            images, shift = self._finish(values, shift)
            if self._stream is not None:
                done = self._stream.record_event()
        batch = Batch.of((images, labels), core, epoch=self._iteration.epoch, step=step, color_shift=shift)
        return _Sent(batch, core, (images, labels, shift), done)

    def _finish(self, values: Any, shift: Any) -> tuple[Any, Any]:
        """Turns bytes into normalised values with the colour noise; also returns the noise that remains to be added."""
        kind = self._settings.type
        if kind is None:
            return values, shift
        floats = values.to(self._torch.float32)
        floats.sub_(self._mean).mul_(self._scale).add_(shift.reshape(self._settings.shift_shape))
        return floats.to(kind), shift.new_empty((0, 3))

    def _own_stream(self) -> contextlib.AbstractContextManager[object]:
        if self._stream is None:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[object] = self._torch.cuda.stream(self._stream)
        return context

    def __len__(self) -> int:
        """Remaining batches."""
        return len(self._sent) + (0 if self._ended or self._error is not None else len(self._iteration))


class _Stage:
    """Pinned memory for a batch, reused for one batch after another."""

    def __init__(self, torch: Any, device: Any) -> None:
        self._torch = torch
        self._device = device
        self._pinned: dict[int, Any] = {}
        self._copied: Any = None

    def move(self, hosts: Sequence[Any], stream: Any) -> list[Any]:
        """Starts to copy tensors to the device on the given stream, which must be the current one."""
        torch = self._torch
        if self._copied is None:
            # The thread sleeps while it waits: the loader's threads need the processor.
            self._copied = torch.cuda.Event(blocking=True)
        else:
            self._copied.synchronize()
        moved = []
        for place, host in enumerate(hosts):
            pinned = self._room(place, host)
            pinned.copy_(host)
            there = torch.empty(host.shape, dtype=host.dtype, device=self._device)
            there.copy_(pinned, non_blocking=True)
            moved.append(there)
        self._copied.record(stream)
        return moved

    def _room(self, place: int, host: Any) -> Any:
        pinned = self._pinned.get(place)
        if pinned is None or pinned.numel() < host.nbytes:
            pinned = self._torch.empty(host.nbytes, dtype=self._torch.uint8, pin_memory=True)
            self._pinned[place] = pinned
        return pinned[: host.nbytes].view(host.dtype).view(host.shape)
