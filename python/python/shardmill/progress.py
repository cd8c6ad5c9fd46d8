"""Progress of long work: one line that is redrawn on a terminal and in a notebook, and an occasional new line in a
log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Progress"]

#: Seconds between two redraws, and between two lines in a log.
_DRAW_EVERY = 0.1
_LINE_EVERY = 10.0
_WIDTH = 24


class Progress:
    """Shows the progress that :attr:`function` is called with, or passes it to a user function, or does nothing."""

    def __init__(self, wanted: bool | Callable[[str, int, int | None], object]) -> None:
        self.function: Callable[[str, int, int | None], object] | None = None
        """Takes the kind of work, the amount done, and the total."""
        self._display: Any = None
        self._work: str | None = None
        self._start = self._last = 0.0
        self._drawn = 0
        if callable(wanted):
            self.function = wanted
        elif wanted and sys.stderr is not None:
            self._display = _notebook_display()
            self.function = self._tell

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            # Clears the line, so that the next output takes its place.
            sys.stderr.write("\r" + " " * self._drawn + "\r")
            sys.stderr.flush()
        if self._display is not None:
            self._display.update(_Text(""))

    def _tell(self, work: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        drawn = self._display is not None or sys.stderr.isatty()
        if work != self._work:
            # A log gets its first line only after a while; a terminal is drawn at once.
            self._work, self._start, self._last = work, now, -math.inf if drawn else now
        is_done = drawn and done == total
        if not is_done and now - self._last < (_DRAW_EVERY if drawn else _LINE_EVERY):
            return
        self._last = now
        text = _line(work, done, total, now - self._start)
        if self._display is not None:
            self._display.update(_Text(text))
        elif drawn:
            sys.stderr.write("\r" + text.ljust(self._drawn))
            sys.stderr.flush()
            self._drawn = len(text)
        else:
            print(text, file=sys.stderr, flush=True)


class _Text:
    """Text that a notebook shows unchanged."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _notebook_display() -> Any:
    """A display in the output of a notebook cell; ``None`` outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # IPython in a terminal has no kernel.
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

    return display(_Text(""), display_id=True)


def _line(work: str, done: int, total: int | None, seconds: float) -> str:
    """One line: a bar, the counts, the rate and the remaining time."""
    rate = done / seconds if seconds > 0 else 0.0
    if not total:
        return f"{work}: {done:,}, {rate:,.0f} a second"
    filled = min(_WIDTH, _WIDTH * done // total)
    bar = "#" * filled + "." * (_WIDTH - filled)
    left = f"{(total - done) / rate:,.0f} s to go" if rate > 0 else "..."
    return f"{work} [{bar}] {done:,}/{total:,}, {rate:,.0f} a second, {left}"
