"""One pass over an epoch."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shardmill import _core
from shardmill.batch import Batch
from shardmill.errors import ClosedError, ConcurrentUseError, ForkedError, ShardmillError
from shardmill.state import Position

if TYPE_CHECKING:
    from shardmill.loader import Loader

__all__ = ["Iteration"]


class Iteration(Iterator[Batch]):
    """One pass over an epoch, or over what a state left of it."""

    def __init__(self, loader: Loader, core: _core.Epoch, epoch: int, *, resumed: bool) -> None:
        self._loader = loader
        self._core = core
        self._process = os.getpid()
        self.epoch = epoch
        """Number of the epoch."""
        self.resumed = resumed
        """Whether it resumed from a state."""
        self.read = False
        """Whether a batch has been requested."""
        self._step = 0
        self._over = False
        _live.add(self)

    def move_to(self, epoch: int) -> None:
        """Starts another epoch instead, if no batch has been read: Lightning calls ``set_epoch`` after ``iter``."""
        if self.read or self._process != os.getpid():
            return
        self._core.close()
        self._core, self.epoch, self.resumed = self._loader._core.epoch(epoch, 0), epoch, False

    def __next__(self) -> Batch:
        taken = self._take()
        if taken is None:
            self._finish()
            raise StopIteration
        core, step = taken
        convert = self._loader._convert
        batch = Batch.of(
            (convert(core.images()), convert(core.labels())),
            core,
            epoch=self.epoch,
            step=step,
            color_shift=lambda: convert(core.color_shift()),
        )
        self._hand_out(core)
        return batch

    def _take(self) -> tuple[_core.Batch, int] | None:
        """Takes the next batch and its number; it does not count as returned yet."""
        if self._over:
            return None
        self.read = True
        try:
            core = self._core.next()
        except ConcurrentUseError:
            raise
        except (ForkedError, ClosedError):
            # Every later call raises it again.
            raise
        except ShardmillError:
            # The epoch is over, although it was not read to its end. After Ctrl-C or a signal it can continue.
            self._over = True
            raise
        if core is None:
            return None
        self._step += 1
        return core, self._step - 1

    def _hand_out(self, core: _core.Batch) -> None:
        """Counts a batch as returned to the caller."""
        loader = self._loader
        if loader._latest is None or loader._latest() is not self:
            return
        loader._position = Position(self.epoch, core.samples_after)
        if core.last:
            loader._position = Position(self.epoch + 1, 0)
            if loader._epoch == self.epoch and not loader._resume:
                # A caller who counts the batches need not request one more.
                loader._epoch = self.epoch + 1

    def _finish(self) -> None:
        """Advances to the next epoch, since this one was read to its end."""
        if self._over:
            return
        self._over = True
        self._keep_stats()
        loader = self._loader
        if loader._latest is None or loader._latest() is not self:
            return
        if loader._epoch == self.epoch and not loader._resume:
            loader._epoch = self.epoch + 1
        loader._position = Position(loader._epoch, loader._resume)

    def _keep_stats(self) -> None:
        if self._process != os.getpid():
            return
        # Another thread may be waiting for a batch, for example when the interpreter exits.
        with contextlib.suppress(ConcurrentUseError):
            meter = self._core.meter()
            if meter is not None:
                for words, arguments in _VERDICT.items():
                    meter["verdict"] = meter["verdict"].replace(words, arguments)
                self._loader._stats = {"epoch": self.epoch, **meter}

    def __len__(self) -> int:
        """Remaining batches."""
        return 0 if self._over else len(self._core)

    def close(self) -> None:
        """Ends the iteration and its threads."""
        self._keep_stats()
        self._core.close()

    def __del__(self) -> None:
        latest = self._loader._latest
        if latest is not None and latest() in (None, self):
            self._keep_stats()


#: Phrases of the Rust verdict, and their Python equivalents.
_VERDICT = {
    "prep convert --codec raw": "`shardmill prep convert --codec raw`",
    "choose u8 and normalise on the device": 'use output="uint8" and normalise on the device, as device= does',
}

#: Seconds that the interpreter's exit waits for Python threads that are waiting for batches.
_LONGEST_END = 5.0

#: Iterations that may have threads, which must end before the interpreter does.
_live: weakref.WeakSet[Iteration] = weakref.WeakSet()


def _close_all() -> None:
    """Ends the loaders' threads before the interpreter exits; a thread that waits for a batch gets an error first."""
    _core.end()
    iterations = list(_live)
    for iteration in iterations:
        iteration.close()
    deadline = time.monotonic() + _LONGEST_END
    while time.monotonic() < deadline and not all(iteration._core.closed for iteration in iterations):
        time.sleep(0.005)


atexit.register(_close_all)
# A forked child has no threads to end.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.clear)
