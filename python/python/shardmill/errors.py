"""The exceptions of Shardmill.

Every one is a :class:`ShardmillError`. Its text is the whole chain, from the failed operation to the cause, and
says what to do.
"""

from __future__ import annotations

__all__ = [
    "BatchMemoryError",
    "CacheError",
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
    "StoreAccessError",
    "StoreError",
    "TransformError",
    "TruncatedShardError",
    "UnknownSplitError",
]


class ShardmillError(Exception):
    """An error of Shardmill."""


class DatasetNotFoundError(ShardmillError, FileNotFoundError):
    """The folder holds no dataset, or it or one of its files is missing."""

    def __init__(self, text: str, *, path: str | None = None) -> None:
        super().__init__(text)
        self.path = path
        """The file or folder, if one is known."""


class ReadError(ShardmillError, OSError):
    """The system could not read a file."""

    def __init__(self, text: str, *, path: str | None = None) -> None:
        super().__init__(text)
        self.path = path
        """The file, if one is known."""


class StoreError(ShardmillError, OSError):
    """An object store, or the network, does not give what was asked of it."""

    def __init__(self, text: str, *, address: str | None = None, shard: str | None = None) -> None:
        super().__init__(text)
        self.address = address
        """The object, if one is known."""
        self.shard = shard
        """File name of the shard, if one could not be fetched."""


class StoreAccessError(StoreError, PermissionError):
    """The server refuses the credentials, or there are none."""


class CacheError(ShardmillError, ValueError):
    """The cache of shards has no room for this order, or cannot be shared with this setting."""


class UnknownSplitError(ShardmillError, ValueError):
    """The dataset has no such split."""


class SettingError(ShardmillError, ValueError):
    """A setting is invalid, or invalid for this dataset."""


class StateError(ShardmillError, ValueError):
    """The state is damaged, or belongs to different data or a different order."""


class StateWarning(UserWarning):
    """Part of a state is discarded."""


class DamagedShardError(ShardmillError):
    """A shard or the manifest is damaged, or they do not match."""

    def __init__(self, text: str, *, shard: str | None = None) -> None:
        super().__init__(text)
        self.shard = shard
        """File name of the shard; ``None`` if it is the manifest."""


class DamagedRecordError(ShardmillError):
    """One record is damaged; the rest of the dataset may be intact (``on_bad_record="replace"``)."""

    def __init__(self, text: str, *, shard: str, record: int, key: str) -> None:
        super().__init__(text)
        self.shard = shard
        """File name of the shard."""
        self.record = record
        """Number of the record in its shard."""
        self.key = key
        """The record's key."""


class TruncatedShardError(ShardmillError):
    """A shard was truncated while it was being read."""

    def __init__(self, text: str, *, path: str) -> None:
        super().__init__(text)
        self.path = path
        """The file."""


class TransformError(ShardmillError):
    """The transform failed; its exception is the cause (``__cause__``)."""

    def __init__(self, text: str, *, key: str) -> None:
        super().__init__(text)
        self.key = key
        """Key of the sample."""


class BatchMemoryError(ShardmillError, MemoryError):
    """The batches do not fit into memory."""


class ForkedError(ShardmillError, RuntimeError):
    """A loader was used in a process that was forked after the loader had been made."""


class ConcurrentUseError(ShardmillError, RuntimeError):
    """Two threads asked one iteration for a batch at the same time."""


class ClosedError(ShardmillError, RuntimeError):
    """The loader or the iteration was closed, or the interpreter is ending."""


class PrepareError(ShardmillError):
    """A dataset could not be made, verified or described."""


class StoppedError(PrepareError):
    """The work was stopped before its end; the text says how to resume."""


class InternalError(ShardmillError, RuntimeError):
    """A bug in Shardmill."""
