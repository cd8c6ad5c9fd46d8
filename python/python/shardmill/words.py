"""Checks of names and numbers that users give."""

from __future__ import annotations

import difflib
import math
import operator
import reprlib
from collections.abc import Iterable

from shardmill.errors import SettingError

__all__ = ["choose", "number", "short", "whole"]

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60

#: Largest signed 64-bit integer.
_MOST = (1 << 63) - 1


def choose(setting: str, given: object, known: Iterable[str], more: str = "") -> str:
    """Returns the name if it is known; otherwise raises an error that lists the known names and other valid values."""
    names = list(known)
    if isinstance(given, str) and given in names:
        return given
    near = difflib.get_close_matches(given, names, 1) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(repr(name) for name in names)
    also = f", or {more}" if more else ""
    raise SettingError(f"{setting} is {short(given)}{hint}; choose one of {listed}{also}")


def short(value: object) -> str:
    """A short representation of a value, within a line and without the numbers of an array."""
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and kind is not None and shape != ():
        return f"an array of {kind} {list(shape)}"
    text = _REPR.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def whole(setting: str, given: object, least: int, most: int = _MOST) -> int:
    """Checks an integer against bounds."""
    number = least - 1 if isinstance(given, bool) or not hasattr(given, "__index__") else operator.index(given)
    if not least <= number <= most:
        bounds = f"of at least {least}" if most == _MOST else f"from {least} to {most}"
        raise SettingError(f"{setting} is {short(given)}; give an integer {bounds}")
    return number


def number(setting: str, given: object) -> float:
    """Checks that a value is a finite number; its range is checked elsewhere."""
    try:
        value = math.nan if isinstance(given, (bool, str, bytes)) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise SettingError(f"{setting} is {short(given)}; give a finite number")
    return value
