"""Names and numbers that users give, checked."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable

from shardmill.errors import SettingError

__all__ = ["choose", "number", "whole"]


def choose(setting: str, given: object, known: Iterable[str]) -> str:
    """The name, if it is one of those that are known; an error that lists them otherwise."""
    names = list(known)
    if isinstance(given, str) and given in names:
        return given
    near = difflib.get_close_matches(given, names, 1) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(repr(name) for name in names)
    raise SettingError(f"{setting} is {given!r}{hint}; choose one of {listed}")


def whole(setting: str, given: object, least: int) -> int:
    """A whole number that is large enough."""
    try:
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise SettingError(f"{setting} is {given!r}; give a whole number from {least} on") from None
    if isinstance(given, bool) or number < least or number >= 1 << 63:
        raise SettingError(f"{setting} is {given!r}; give a whole number from {least} on")
    return number


def number(setting: str, given: object) -> float:
    """A number; what it may be is for others to check."""
    if isinstance(given, (bool, str, bytes)):
        raise SettingError(f"{setting} is {given!r}; give a number")
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise SettingError(f"{setting} is {given!r}; give a number") from None
