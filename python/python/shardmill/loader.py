"""The loader: batches, epoch after epoch."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from shardmill import _core
from shardmill.augment import Augment, AugmentName, ColorJitter, Transform, augment_named
from shardmill.batch import Batch
from shardmill.dataset import Dataset
from shardmill.errors import ClosedError, ForkedError, SettingError, StateWarning
from shardmill.frameworks import Convert, check_worker, converter, tell_torch
from shardmill.iteration import Iteration
from shardmill.parts import Data, check_types, datasets_of, unknown_arguments
from shardmill.ranks import find_ranks
from shardmill.settings import (
    Advice,
    Blocks,
    Framework,
    LastBatch,
    Layout,
    Normalize,
    OnBadRecord,
    Output,
    Verify,
    mean_and_std,
    order_text,
    usual_threads,
)
from shardmill.state import Identity, Position, read_state, write_state
from shardmill.words import choose, whole

__all__ = ["Loader"]

_FORKED = (
    "this Loader was made in another process, and its threads did not survive the fork: use num_workers=0, since "
    "the loader's own threads replace worker processes; or make the Loader in this process; or give torch's "
    "DataLoader a shardmill.Dataset"
)


class Loader:
    """Batches of a split, epoch after epoch, made by threads outside the GIL.

    A batch depends only on the dataset, the settings, the seed, the epoch and its position in the epoch: any number
    of threads gives the same bytes.

    Args:
        data: A folder of shards, its address in an object store such as ``s3://bucket/imagenet``, a
            :class:`~shardmill.Dataset`, or a list of (folder, address or dataset, integer weight).
        split: Name of the split, by default ``"train"``; a dataset already has one.
        batch_size: Samples per batch of this process, as in torch's ``DataLoader``.
        augment: By default ``"alexnet"`` for the split ``train`` and ``"center"`` for others;
            ``"random_resized_crop"``, ``"fixed_crop"``, ``"two_view"``, ``"ten_view"``, or an object such as
            ``RandomCrop(224, flip=True, color_std=0.1)``.
        crop: Side of the crop window, in pixels, for an ``augment`` given by name; by default 224.
        output: ``"float32"``, ``"float16"``, ``"bfloat16"``, or ``"uint8"`` with a separate ``batch.color_shift``.
        layout: ``"nchw"`` or ``"nhwc"``.
        normalize: ``None`` leaves values at 0 to 255; ``"imagenet"``; ``"dataset"`` for the statistics of these
            shards; or ``(mean, std)`` on the 0-255 scale.
        seed: Seed of order and augmentation.
        threads: Loader threads; by default the processors available to this process, at most 8. With 0, the
            caller's thread makes each batch when it asks for it.
        prefetch: Batches that may be ready in addition to those that the threads are working on.
        order: ``"global"``, ``"blocks"``, ``Blocks(block, interleave)``, ``"shards"``, ``"shards:4"`` for 4 shards
            at a time, or ``"sequential"``; by default shuffled if the split is ``train`` and is augmented at random,
            otherwise sequential.
        last_batch: By default ``"keep"`` with one process and ``"pad"`` with several; or ``"drop"``.
        color_jitter: A :class:`~shardmill.ColorJitter`.
        draw_every: How many consecutive images share a window.
        views: Independent augmentations of every sample; several get an axis of their own.
        transform: A function of (uint8 image, :class:`~shardmill.Sample`) for every decoded record. The loader's
            threads call it under the GIL, so it is slow. It changes the image in place, or returns another.
        classes: Labels, synsets or names of the classes to load; by default all.
        verify: ``"first-read"`` compares each record with its checksum once; ``"never"``.
        on_bad_record: ``"stop"``, or ``"replace"`` by another sample.
        advice: When the loader tells the system what it will read next: ``"auto"``, ``"always"``, ``"never"``.
        samples: Samples in an epoch of several datasets; by default as many as they have.
        framework: ``"numpy"``, ``"torch"`` or ``"jax"``: the type of the arrays, over the same memory.
        device: A torch device, such as ``"cuda"``, to which batches are moved and on which they are finished.
        rank: Number of this process; by default detected: ``torch.distributed``, torchrun, Open MPI, Slurm.
        world_size: Number of processes that share every epoch.
        cache_dir, cache_bytes: The cache for shards of object stores; see :class:`~shardmill.Dataset`.

    Raises:
        DatasetNotFoundError, UnknownSplitError, DamagedShardError: The data cannot be opened.
        SettingError: A setting is unknown, or invalid for this data.
        StoreError, StoreAccessError: The object store cannot be read.
        BatchMemoryError: The batches do not fit into memory.

    """

    def __init__(
        self,
        data: Data,
        split: str | None = None,
        *,
        batch_size: int = 128,
        augment: AugmentName | Augment | None = None,
        crop: int | None = None,
        output: Output = "float32",
        layout: Layout = "nchw",
        normalize: Normalize = None,
        seed: int = 0,
        threads: int | None = None,
        prefetch: int = 1,
        order: str | Blocks | None = None,
        last_batch: LastBatch | None = None,
        color_jitter: ColorJitter | None = None,
        draw_every: int = 1,
        views: int = 1,
        transform: Transform | None = None,
        classes: Sequence[int | str] | None = None,
        verify: Verify = "first-read",
        on_bad_record: OnBadRecord = "stop",
        advice: Advice = "auto",
        samples: int | None = None,
        framework: Framework | None = None,
        device: object | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
    ) -> None:
        check_types(split, color_jitter, transform, classes)
        self._parts = datasets_of(data, split, classes, cache_dir=cache_dir, cache_bytes=cache_bytes)
        first = self._parts[0][0]
        if samples is not None and len(self._parts) == 1:
            raise SettingError(
                f"samples is {samples!r}, but there is only one dataset: samples is the length of an epoch of several "
                "datasets; to use a part of one, take Dataset.select"
            )
        self.augment = augment_named(augment, crop, first.split)
        """The augmentation."""
        check_worker(rank)
        self._ranks = find_ranks(rank, world_size)
        self.batch_size = whole("batch_size", batch_size, 1)
        """Samples per batch of this process."""
        self._device: Any = None
        if device is not None:
            if framework not in (None, "torch"):
                raise SettingError(f"device is {device!r}, a torch device, but framework is {framework!r}")
            framework = "torch"
        self.framework = "numpy" if framework is None else framework
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
            "color_jitter": None if color_jitter is None else color_jitter.settings(),
            "mean": mean,
            "std": std,
            "output": choose("output", output, ("float32", "float16", "bfloat16", "uint8")),
            "layout": choose("layout", layout, ("nchw", "nhwc")),
            "last_batch": choose(
                "last_batch",
                ("pad" if several else "keep") if last_batch is None else last_batch,
                ("keep", "drop", "pad"),
            ),
            "verify": choose("verify", verify, ("first-read", "never")),
            "on_bad_record": choose("on_bad_record", on_bad_record, ("stop", "replace")),
            "advice": choose("advice", advice, ("auto", "always", "never")),
            "rank": self._ranks.rank,
            "world_size": self._ranks.world_size,
            "order": order_text(order, self.augment, first.split),
        }
        self.output: str = settings["output"]
        """Type of the images."""
        if device is not None:
            from shardmill.device import Device

            self._device = Device(device, settings, self.augment.views * views)
            settings["output"] = "uint8"
        cores = [(dataset._core, weight) for dataset, weight in self._parts]
        if samples is not None:
            samples = whole("samples", samples, 1)
        self._core = _core.Loader(cores, samples, settings, transform)
        if not self._core.steps:
            raise SettingError(
                f'last_batch is "drop", but an epoch of {self._core.samples:,} samples has no whole batch of '
                f"{self.global_batch_size:,} and would be empty: choose a smaller batch_size, or another last_batch"
            )
        self._settings = settings
        self._identity = Identity.of(self._parts, self._core.samples, self._core.order, settings["seed"])
        self._process = os.getpid()
        self._closed = False
        self._position = Position(0, 0)
        # Samples of the epoch that the next iteration skips, because of a state.
        self._resume = 0
        self._epoch = 0
        self._iterations: weakref.WeakSet[Iteration] = weakref.WeakSet()
        self._latest: weakref.ref[Iteration] | None = None
        self._stats: dict[str, Any] = {}
        self.sampler = _Sampler(self)
        """Has ``set_epoch``, where Lightning looks for it."""
        self.batch_sampler = None
        """None; Lightning expects this attribute beside a sampler."""

    if not TYPE_CHECKING:

        def __new__(cls, *_args: object, **settings: object) -> Loader:
            """Rejects unknown arguments, and suggests the equivalent of those of other loaders."""
            unknown_arguments(cls.__init__, settings)
            return super().__new__(cls)

    @property
    def mean(self) -> tuple[float, float, float]:
        """Subtracted from R, G, B, on the 0-255 scale; with ``output="uint8"``, left for the caller to subtract."""
        red, green, blue = self._settings["mean"]
        return red, green, blue

    @property
    def std(self) -> tuple[float, float, float]:
        """Divisor of R, G, B afterwards; with ``output="uint8"``, left for the caller to divide by."""
        red, green, blue = self._settings["std"]
        return red, green, blue

    @property
    def global_batch_size(self) -> int:
        """Samples per batch over all ranks."""
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
        """Threads that an iteration starts: as many as requested, but no more than an epoch has batches."""
        return self._core.threads

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets: one, or those of a mix."""
        return [dataset for dataset, _ in self._parts]

    @property
    def samples(self) -> int:
        """Samples in an epoch, over all ranks."""
        return self._core.samples

    def __len__(self) -> int:
        """Batches in an epoch, the same on every rank."""
        return self._core.steps

    def locate(self, index: int) -> tuple[int, int]:
        """For an index in ``batch.indices``, the position of its dataset in :attr:`datasets`, and the sample's index
        in that dataset."""
        return self._core.locate(whole("index", index, 0))

    def expected_classes(self, epoch: int = 0) -> float | None:
        """Expected number of distinct classes in a batch over all ranks; ``None`` for a mix. This reads every
        label."""
        return self._core.expected_classes(whole("epoch", epoch, 0))

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next iteration, and of one that has started but from which no batch has been read.
        Without it, each epoch follows the one that was read to its end."""
        number = whole("epoch", epoch, 0)
        if number == self._epoch:
            # A state in the middle of this epoch stays valid.
            return
        latest = self._latest() if self._latest is not None else None
        if self._resume or (latest is not None and latest.resumed and not latest.read):
            warnings.warn(
                f"the state was in the middle of epoch {self._epoch}, but set_epoch({number}) starts another epoch: "
                "the position in the epoch is discarded",
                StateWarning,
                stacklevel=2,
            )
        self._epoch, self._resume = number, 0
        self._position = Position(number, 0)
        if latest is not None and not self._closed:
            latest.move_to(number)
            self._leave(latest)

    def state_dict(self) -> dict[str, Any]:
        """The position of the latest iteration, counted by the batches that the caller received. After the last batch
        of an epoch it is the start of the next. It is valid for any batch size and any number of threads and ranks."""
        return write_state(self._position, self._identity)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Lets the next iteration resume from the state, which may come from a loader with another number of threads,
        another batch size and another number of ranks; data, order and seed must be the same."""
        self._position = read_state(state, self._identity)
        if self._latest is not None:
            self._leave(self._latest())
        self._epoch, self._resume = self._position.epoch, self._position.samples

    def _leave(self, latest: Iteration | None) -> None:
        """Stops an iteration from determining the position of the loader."""
        if latest is not None and latest.read:
            latest._keep_stats()
            self._latest = None

    def stats(self) -> dict[str, Any]:
        """Where the time of the latest iteration went: the seconds of each stage summed over the threads (``read``,
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
        if self._device is None:
            return iteration
        feed: Iterator[Batch] = self._device.feed(iteration)
        return feed

    def _check(self) -> None:
        if self._process != os.getpid():
            raise ForkedError(_FORKED)
        if self._closed:
            raise ClosedError("this Loader is closed: make another")

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
            "a shardmill.Loader cannot be pickled: its threads replace worker processes, so use num_workers=0; for "
            "workers of torch's DataLoader there is shardmill.Dataset"
        )

    def __repr__(self) -> str:
        sets = " + ".join(f"{dataset.path}:{dataset.split}" for dataset in self.datasets)
        return (
            f"shardmill.Loader({sets}): {len(self):,} batches of {self.batch_size}, {self.augment}, "
            f"{self.output} {self._settings['layout']}, rank {self.rank} of {self.world_size}"
        )


class _Sampler:
    """Passes ``set_epoch`` on, for libraries that call it on the sampler of a loader."""

    def __init__(self, loader: Loader) -> None:
        self._loader = weakref.ref(loader)

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`Loader.set_epoch`."""
        loader = self._loader()
        if loader is not None:
            loader.set_epoch(epoch)
