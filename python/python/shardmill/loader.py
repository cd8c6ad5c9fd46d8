"""The loader: batches, epoch after epoch."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from shardmill import _core
from shardmill.augment import Augment, ColorJitter, Transform, augment_named
from shardmill.batch import Batch
from shardmill.dataset import Dataset
from shardmill.errors import ClosedError, ConcurrentUseError, ForkedError, SettingError, ShardmillError, StateWarning
from shardmill.frameworks import Convert, converter, tell_torch
from shardmill.ranks import find_ranks
from shardmill.settings import (
    Blocks,
    Normalize,
    color_jitter_settings,
    mean_and_std,
    order_settings,
    usual_threads,
    whole,
)
from shardmill.state import Identity, Position, read_state, write_state
from shardmill.words import choose

__all__ = ["Data", "Iteration", "Loader"]

#: What a loader is made of: a folder, a dataset, or several with whole weights.
Data: TypeAlias = "str | os.PathLike[str] | Dataset | Sequence[tuple[str | os.PathLike[str] | Dataset, int]]"

_FORKED = (
    "this Loader was made in another process, and its threads are not here: use num_workers=0, since the loader's "
    "own threads replace worker processes; or make the Loader in this process; or give torch's DataLoader a "
    "shardmill.Dataset"
)


class Loader:
    """Batches of a split, epoch after epoch, made by threads outside the GIL.

    A batch depends on the dataset, the settings, the seed, the epoch and its place in it, and on nothing else:
    any number of threads gives the same bytes. ``batch_size`` counts samples of one process.
    """

    def __init__(
        self,
        data: Data,
        *,
        split: str | None = None,
        batch_size: int = 128,
        augment: str | Augment | None = None,
        crop: int | None = None,
        output: str = "float32",
        layout: str = "nchw",
        normalize: Normalize = None,
        seed: int = 0,
        threads: int | None = None,
        prefetch: int = 1,
        order: str | Blocks | None = None,
        last_batch: str | None = None,
        color_jitter: ColorJitter | None = None,
        draw_every: int = 1,
        views: int = 1,
        transform: Transform | None = None,
        classes: Sequence[int | str] | None = None,
        verify: str = "first-read",
        on_bad_record: str = "stop",
        advice: str = "auto",
        samples: int | None = None,
        framework: str | None = None,
        device: object | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self._parts = _parts(data, split, classes)
        first = self._parts[0][0]
        if samples is not None and len(self._parts) == 1:
            raise SettingError(
                f"samples is {samples!r}, but there is one dataset: samples is the length of an epoch of several; "
                "take a part of one with Dataset.select"
            )
        self.augment = augment_named(augment, crop, first.split)
        """The augmentation."""
        self._ranks = find_ranks(rank, world_size)
        self.batch_size = whole("batch_size", batch_size, 1)
        """Samples of a batch of this process."""
        self._device: Any = None
        if device is not None:
            if framework not in (None, "torch"):
                raise SettingError(f"device is {device!r}, which is torch's, and framework is {framework!r}")
            framework = "torch"
        self.framework = framework or "numpy"
        """``numpy``, ``torch`` or ``jax``."""
        self._convert: Convert = converter(self.framework)
        tell_torch(Loader)
        mean, std = mean_and_std(normalize, first)
        several = self._ranks.world_size > 1
        settings: dict[str, Any] = {
            "global_batch_size": self.global_batch_size,
            "seed": whole("seed", seed, 0),
            "threads": whole("threads", usual_threads() if threads is None else threads, 0),
            "prefetch": whole("prefetch", prefetch, 0),
            "policy": self.augment.settings(),
            "views": whole("views", views, 1),
            "draw_every": whole("draw_every", draw_every, 1),
            "color_jitter": color_jitter_settings(color_jitter),
            "mean": mean,
            "std": std,
            "output": choose("output", output, ("float32", "float16", "bfloat16", "uint8")),
            "layout": choose("layout", layout, ("nchw", "nhwc")),
            "last_batch": choose("last_batch", last_batch or ("pad" if several else "keep"), ("keep", "drop", "pad")),
            "verify": choose("verify", verify, ("first-read", "never")),
            "on_bad_record": choose("on_bad_record", on_bad_record, ("stop", "replace")),
            "advice": choose("advice", advice, ("auto", "always", "never")),
            "rank": self._ranks.rank,
            "world_size": self._ranks.world_size,
            **order_settings(order, self.augment, first.split),
        }
        if device is not None:
            from shardmill.device import Device

            self._device = Device(device, settings, self.augment.views * views)
            settings["output"] = "uint8"
        cores = [(dataset._core, weight) for dataset, weight in self._parts]
        self._core = _core.Loader(cores, samples, settings, transform)
        self._settings = settings
        drawn = settings["order"] if settings["blocks"] is None else "blocks {} {}".format(*settings["blocks"])
        self._identity = Identity.of(self._parts, self._core.samples, drawn, settings["seed"])
        self._process = os.getpid()
        self._closed = False
        self._position = Position(0, 0)
        # Samples of the epoch that the next iteration leaves out, since a state says so.
        self._resume = 0
        self._epoch = 0
        self._iterations: weakref.WeakSet[Iteration] = weakref.WeakSet()
        self._latest: weakref.ref[Iteration] | None = None
        self._stats: dict[str, Any] = {}
        self.sampler = _Sampler(self)
        """Has ``set_epoch``, where Lightning looks for it."""
        self.batch_sampler = None
        """None: Lightning takes it for granted beside a sampler."""

    @property
    def global_batch_size(self) -> int:
        """Samples of a batch over all ranks."""
        return self.batch_size * self._ranks.world_size

    @property
    def rank(self) -> int:
        """Number of this process."""
        return self._ranks.rank

    @property
    def world_size(self) -> int:
        """Number of processes that share an epoch."""
        return self._ranks.world_size

    @property
    def seed(self) -> int:
        """Seed of order and augmentation."""
        seed: int = self._settings["seed"]
        return seed

    @property
    def threads(self) -> int:
        """Threads that an iteration starts: as many as were asked for, but no more than an epoch has batches."""
        return self._core.threads

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets: one, or those of a mix."""
        return [dataset for dataset, _ in self._parts]

    @property
    def samples(self) -> int:
        """Samples of an epoch, over all ranks."""
        return self._core.samples

    def __len__(self) -> int:
        """Batches of an epoch, the same on every rank."""
        return self._core.steps

    def locate(self, index: int) -> tuple[int, int]:
        """The dataset of an index of ``batch.indices``, as a place among :attr:`datasets`, and the sample's
        index in it."""
        return self._core.locate(int(index))

    def expected_classes(self, epoch: int = 0) -> float | None:
        """Distinct classes that a batch over all ranks is expected to hold; ``None`` for a mix. It reads every
        label."""
        return self._core.expected_classes(epoch)

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration gives."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next iteration, and of one that was begun and not read from. Without it, each
        epoch follows the one that was read to its end."""
        number = whole("epoch", epoch, 0)
        if number == self._epoch:
            # A state in the middle of this epoch stays as it is.
            return
        latest = self._latest() if self._latest is not None else None
        if self._resume or (latest is not None and latest.resumed and not latest.read):
            warnings.warn(
                f"the state was in the middle of epoch {self._epoch}, and set_epoch({number}) begins another: the "
                "place in it is dropped",
                StateWarning,
                stacklevel=2,
            )
        self._epoch, self._resume = number, 0
        self._position = Position(number, 0)
        if latest is not None and not self._closed:
            latest.move_to(number)

    def state_dict(self) -> dict[str, Any]:
        """Where the latest iteration is, by the batches that were handed out. After the last batch of an epoch
        it is the beginning of the next. It depends on no number of threads or ranks and on no batch size."""
        return write_state(self._position, self._identity)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on from the state, which may be of a loader with another number of threads,
        another batch size and another number of ranks; data, order and seed must be the same."""
        self._position = read_state(state, self._identity)
        self._epoch, self._resume = self._position.epoch, self._position.samples

    def stats(self) -> dict[str, Any]:
        """Where the time of the latest iteration went: seconds of each stage summed over the threads (``read``,
        ``decode``, ``transform``, ``augment``, ``buffer``, ``idle``), the caller's ``wait`` and ``wall``, counts,
        and a ``verdict`` with advice. Empty before the first iteration."""
        latest = self._latest() if self._latest is not None else None
        if latest is not None:
            latest._keep_stats()
        return dict(self._stats)

    def __iter__(self) -> Iterator[Batch]:
        self._check()
        core = self._core.epoch(self._epoch, self._resume)
        iteration = Iteration(self, core, self._epoch, resumed=self._resume > 0)
        self._position = Position(self._epoch, self._resume)
        self._resume = 0
        self._iterations.add(iteration)
        self._latest = weakref.ref(iteration)
        _live.add(iteration)
        if self._device is None:
            return iteration
        feed: Iterator[Batch] = self._device.feed(iteration)
        return feed

    def _check(self) -> None:
        if self._process != os.getpid():
            raise ForkedError(_FORKED)
        if self._closed:
            raise ClosedError("this Loader was closed: make another")

    def close(self) -> None:
        """Ends every iteration and its threads."""
        self._closed = True
        for iteration in list(self._iterations):
            iteration.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a shardmill.Loader cannot be pickled: its threads replace worker processes (num_workers=0); workers "
            "of torch's DataLoader take a shardmill.Dataset"
        )

    def __repr__(self) -> str:
        sets = " + ".join(f"{dataset.path}:{dataset.split}" for dataset in self.datasets)
        return (
            f"shardmill.Loader({sets}): {len(self):,} batches of {self.batch_size}, {self.augment}, "
            f"{self._settings['output']} {self._settings['layout']}, rank {self.rank} of {self.world_size}"
        )


def _parts(data: Any, split: str | None, classes: Sequence[int | str] | None) -> list[tuple[Dataset, int]]:
    """The datasets with their weights."""
    given: list[Any] = [(data, 1)] if isinstance(data, str | os.PathLike | Dataset) else []
    if not given:
        try:
            given = list(data)
        except TypeError:
            given = []
    parts = []
    for one in given:
        if not isinstance(one, tuple) or len(one) != 2:
            given = []
            break
        dataset, weight = one
        if not isinstance(dataset, Dataset):
            if not isinstance(dataset, str | os.PathLike):
                given = []
                break
            dataset = Dataset(dataset, split or "train")
        elif split is not None and split != dataset.split:
            raise SettingError(
                f"split is {split!r}, but the dataset is of split {dataset.split!r}: leave split out, or open the "
                "other one"
            )
        if classes is not None:
            dataset = dataset.filter_classes(classes)
        parts.append((dataset, whole("a weight", weight, 1)))
    if not given:
        raise SettingError(
            f"data is {data!r}; give a folder of shards, a shardmill.Dataset, or a list of (folder or Dataset, "
            "whole weight)"
        )
    return parts


class _Sampler:
    """Passes ``set_epoch`` on, for libraries that call it on the sampler of a loader."""

    def __init__(self, loader: Loader) -> None:
        self._loader = weakref.ref(loader)

    def set_epoch(self, epoch: int) -> None:
        """As of :meth:`Loader.set_epoch`."""
        loader = self._loader()
        if loader is not None:
            loader.set_epoch(epoch)


class Iteration(Iterator[Batch]):
    """One pass over an epoch, or over what a state left of it."""

    def __init__(self, loader: Loader, core: _core.Epoch, epoch: int, *, resumed: bool) -> None:
        self._loader = loader
        self._core = core
        self._process = os.getpid()
        self.epoch = epoch
        """Number of the epoch."""
        self.resumed = resumed
        """Whether a state said where to begin."""
        self.read = False
        """Whether a batch was asked for."""
        self._step = 0
        self._over = False

    def move_to(self, epoch: int) -> None:
        """Begins another epoch instead, if nothing was read yet: Lightning calls ``set_epoch`` after ``iter``."""
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
        """The next batch, before it counts as handed out, and its number."""
        if self._over:
            return None
        self.read = True
        try:
            core = self._core.next()
        except ConcurrentUseError:
            raise
        except ShardmillError:
            # The epoch is over, and it was not read to its end. Not so after Ctrl-C or a signal.
            self._over = True
            raise
        if core is None:
            return None
        self._step += 1
        return core, self._step - 1

    def _hand_out(self, core: _core.Batch) -> None:
        """Counts a batch as handed out."""
        loader = self._loader
        if loader._latest is None or loader._latest() is not self:
            return
        loader._position = Position(self.epoch, core.samples_after)
        if core.last:
            loader._position = Position(self.epoch + 1, 0)
            if loader._epoch == self.epoch and not loader._resume:
                # Who counts the batches need not ask for one more.
                loader._epoch = self.epoch + 1

    def _finish(self) -> None:
        """The epoch was read to its end: the next one is next."""
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
        # Another thread may be waiting for a batch, as when the interpreter ends.
        with contextlib.suppress(ConcurrentUseError):
            meter = self._core.meter()
            if meter is not None:
                self._loader._stats = {"epoch": self.epoch, **meter}

    def __len__(self) -> int:
        """Batches that are left."""
        return 0 if self._over else len(self._core)

    def close(self) -> None:
        """Ends the iteration and its threads."""
        self._keep_stats()
        self._core.close()

    def __del__(self) -> None:
        latest = self._loader._latest
        if latest is not None and latest() in (None, self):
            self._keep_stats()


#: Seconds that the interpreter's end waits for threads of Python's that wait for batches.
_LONGEST_END = 5.0

#: Iterations that may have threads: they end before the interpreter does.
_live: weakref.WeakSet[Iteration] = weakref.WeakSet()


def _close_all() -> None:
    """Ends the threads before the interpreter does; one that waits for a batch gets its error first."""
    iterations = list(_live)
    for iteration in iterations:
        iteration.close()
    deadline = time.monotonic() + _LONGEST_END
    while time.monotonic() < deadline and not all(iteration._core.closed for iteration in iterations):
        time.sleep(0.005)


atexit.register(_close_all)
# A child of fork has no threads to end.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.clear)
