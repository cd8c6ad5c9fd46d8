"""Names that users give, checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from shardmill.errors import SettingError

__all__ = ["choose"]


def choose(setting: str, given: object, known: Iterable[str]) -> str:
    """The name, if it is one of those that are known; an error that lists them otherwise."""
    names = list(known)
    if isinstance(given, str) and given in names:
        return given
    near = difflib.get_close_matches(given, names, 1) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(repr(name) for name in names)
    raise SettingError(f"{setting} is {given!r}{hint}; choose one of {listed}")
