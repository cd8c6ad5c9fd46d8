"""Names and numbers that users give, checked."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable

from shardmill.errors import SettingError

__all__ = ["choose", "number", "whole"]

#: What a signed number of 64 bits holds.
_MOST = (1 << 63) - 1


def choose(setting: str, given: object, known: Iterable[str]) -> str:
    """The name, if it is one of those that are known; an error that lists them otherwise."""
    names = list(known)
    if isinstance(given, str) and given in names:
        return given
    near = difflib.get_close_matches(given, names, 1) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(repr(name) for name in names)
    raise SettingError(f"{setting} is {given!r}{hint}; choose one of {listed}")


def whole(setting: str, given: object, least: int, most: int = _MOST) -> int:
    """A whole number within bounds."""
    number = least - 1 if isinstance(given, bool) or not hasattr(given, "__index__") else operator.index(given)
    if not least <= number <= most:
        bounds = f"from {least} on" if most == _MOST else f"from {least} to {most}"
        raise SettingError(f"{setting} is {given!r}; give a whole number {bounds}")
    return number


def number(setting: str, given: object) -> float:
    """A number; what it may be is for others to check."""
    try:
        value = math.nan if isinstance(given, (bool, str, bytes)) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise SettingError(f"{setting} is {given!r}; give a finite number")
    return value
