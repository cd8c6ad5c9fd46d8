"""One module for each loader that can be measured; none imports its loader before it is opened.

A module has

- ``PIP``: the command that installs what it needs;
- ``leaves_out(work)``: the part of the work that it does not do, or an empty string;
- ``open_feed(job)``: imports the loader, writes the images in its own format unless they exist, and
  returns a :class:`Feed`.

Every peer does its work as an expert user would set it up: with the operations in its own documentation,
the settings that make it fast, and persistent workers.
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
    """An opened loader."""

    version: str
    """Name and version of the measured loader."""
    repeats: int
    """How often an epoch holds each image: 1 unless short epochs would put the loader at a disadvantage."""

    def epoch(self) -> Iterator[tuple[Any, Any]]:
        """Images and labels of every batch; labels are ``None`` if the loader gives none."""
        ...


class Module(Protocol):
    """The interface of a module of this package."""

    PIP: str

    @property
    def leaves_out(self) -> Callable[[Work], str]:
        """Says which part of a work is left out."""
        ...

    @property
    def open_feed(self) -> Callable[[Job], Feed]:
        """Opens the loader."""
        ...


def module(name: str) -> Module:
    """The module of a peer, or of ``ours``; a variant after a colon is not part of its name."""
    return cast(Module, importlib.import_module(f"{__name__}.{name.partition(':')[0]}"))


def form(path: Path, write: Callable[[Path], None]) -> Path:
    """Returns ``path``, after ``write`` has written it unless it exists; an unfinished one is written again."""
    if not path.exists():
        unfinished = path.with_name(path.name + ".part")
        if unfinished.is_dir():
            import shutil

            shutil.rmtree(unfinished)
        unfinished.unlink(missing_ok=True)
        write(unfinished)
        unfinished.rename(path)
    return path
