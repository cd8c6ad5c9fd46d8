"""One module for each loader that can be measured; none imports its loader before it is opened.

A module has

- ``PIP``: the command that installs what it needs;
- ``leaves_out(work)``: what of the work it does not do, or an empty string;
- ``open_feed(job)``: imports the loader, writes the images in its own form unless they are there, and
  gives a :class:`Feed`.

Every peer does its work as its users would at their best: the operations of its own documentation, the
settings that make it fast, and persistent workers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from shardmill.bench.work import Job, Work

PEERS = ("ffcv", "dali", "torchvision", "webdataset", "mosaic")
"""Names of the modules, in the order of the table."""


class Feed(Protocol):
    """A loader that is ready."""

    version: str
    """Name and version of what is measured."""
    repeats: int
    """How often an epoch holds each image: 1 unless the loader's short epochs would wrong it."""

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """Images and labels of every batch; labels are ``None`` where the loader gives none."""
        ...


class Module(Protocol):
    """What a module of this package offers."""

    PIP: str

    @property
    def leaves_out(self) -> Callable[[Work], str]:
        """Says what of a work is left out."""
        ...

    @property
    def open_feed(self) -> Callable[[Job], Feed]:
        """Opens the loader."""
        ...


def module(name: str) -> Module:
    """The module of a peer, or of ``ours``; a variant behind a colon is not part of its name."""
    return cast(Module, importlib.import_module(f"{__name__}.{name.partition(':')[0]}"))


def form(path: Path, write: Callable[[Path], None]) -> Path:
    """``path``, written by ``write`` unless it is there; a form half written is written again."""
    if not path.exists():
        unfinished = path.with_name(path.name + ".part")
        if unfinished.is_dir():
            import shutil

            shutil.rmtree(unfinished)
        unfinished.unlink(missing_ok=True)
        write(unfinished)
        unfinished.rename(path)
    return path
