"""What can go wrong, as exceptions.

Every one is a :class:`ShardmillError`. Its text is the whole chain, from what was tried to the cause, and
says what to do.
"""

from __future__ import annotations

__all__ = [
    "BatchMemoryError",
    "ClosedError",
    "ConcurrentUseError",
    "DamagedRecordError",
    "DamagedShardError",
    "DatasetNotFoundError",
    "ForkedError",
    "InternalError",
    "PrepareError",
    "ReadError",
    "SettingError",
    "ShardmillError",
    "StateError",
    "StateWarning",
    "StoppedError",
    "TransformError",
    "TruncatedShardError",
    "UnknownSplitError",
]


class ShardmillError(Exception):
    """An error of Shardmill."""


class DatasetNotFoundError(ShardmillError, FileNotFoundError):
    """The folder is missing, or it or one of its files is not there."""

    def __init__(self, text: str, *, path: str | None = None) -> None:
        super().__init__(text)
        self.path = path
        """The file or folder, if one is known."""


class ReadError(ShardmillError, OSError):
    """The system refused a file."""

    def __init__(self, text: str, *, path: str | None = None) -> None:
        super().__init__(text)
        self.path = path
        """The file, if one is known."""


class UnknownSplitError(ShardmillError, ValueError):
    """The dataset has no such split."""


class SettingError(ShardmillError, ValueError):
    """A setting that makes no sense, or not with this dataset."""


class StateError(ShardmillError, ValueError):
    """A state that belongs to other data or another order of it."""


class StateWarning(UserWarning):
    """A state that is used only in part."""


class DamagedShardError(ShardmillError):
    """A shard or the manifest is damaged, or they do not belong together."""

    def __init__(self, text: str, *, shard: str | None = None) -> None:
        super().__init__(text)
        self.shard = shard
        """File name of the shard; ``None`` if it is the manifest."""


class DamagedRecordError(ShardmillError):
    """One record is damaged; the rest of the dataset may be well (``on_bad_record="replace"``)."""

    def __init__(self, text: str, *, shard: str, record: int, key: str) -> None:
        super().__init__(text)
        self.shard = shard
        """File name of the shard."""
        self.record = record
        """Number of the record in its shard."""
        self.key = key
        """The record's key."""


class TruncatedShardError(ShardmillError):
    """A shard was cut short while it was read."""

    def __init__(self, text: str, *, path: str) -> None:
        super().__init__(text)
        self.path = path
        """The file."""


class TransformError(ShardmillError):
    """The transform failed; its own exception is the cause (``__cause__``)."""

    def __init__(self, text: str, *, key: str) -> None:
        super().__init__(text)
        self.key = key
        """Key of the sample."""


class BatchMemoryError(ShardmillError, MemoryError):
    """The batches do not fit into memory."""


class ForkedError(ShardmillError, RuntimeError):
    """A loader was used in a process that was forked after it had been made."""


class ConcurrentUseError(ShardmillError, RuntimeError):
    """Two threads asked one iteration for a batch at the same time."""


class ClosedError(ShardmillError, RuntimeError):
    """The loader or the iteration was closed, or the interpreter is ending."""


class PrepareError(ShardmillError):
    """A dataset could not be made, verified or described."""


class StoppedError(PrepareError):
    """The work was stopped before its end; the text says how to go on."""


class InternalError(ShardmillError, RuntimeError):
    """A fault of Shardmill itself."""
