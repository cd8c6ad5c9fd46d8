"""The console script ``shardmill``: the programs ``prep``, ``loader`` and ``train``.

``shardmill prep ...`` and ``shardmill loader ...`` are the programs themselves, run in this process with their own
output, exit codes and answers to Ctrl-C. ``shardmill train ...`` runs the program of the package
``shardmill-train``, which is built and installed apart.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Sequence
from importlib import metadata
from typing import TextIO

_TRAIN = "shardmill-train"
_COMMANDS = ("prep", "loader", "train", "help")
_USAGE = "Usage: shardmill <COMMAND> [ARGUMENTS]"
_HELP = f"""\
Turns image sets into shards, loads them, and trains AlexNet on them.

{_USAGE}

Commands:
  prep    Make shards of images, and verify, inspect, convert and export them
  loader  Measure how fast a dataset can be loaded
  train   Train AlexNet on shards; needs the package {_TRAIN}
  help    Print this text, or a command's

Options:
  -h, --help     Print this text
  -V, --version  Print the version

`shardmill COMMAND --help` explains a command. The loader itself is Python's: `import shardmill`.
"""
_NO_TRAIN = f"""\
error: `shardmill train` needs the package {_TRAIN}, which is not installed for this Python nor in PATH.
It is built from a clone of Shardmill's repository (python/train/README.md), which takes minutes:
  just python-train
  pip install target/wheels/shardmill_train-*.whl
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and gives its exit code.

    ``argv`` are the arguments behind the program's name; those of the process unless given. It is for a process
    that does nothing else: Ctrl-C then ends it as it ends the program, without Python's ``KeyboardInterrupt``.
    """
    command, *rest = list(sys.argv[1:] if argv is None else argv) or [""]
    if command == "help" and rest:
        command, rest = rest[0], [*rest[1:2], "--help"]
    if command in ("-h", "--help", "help"):
        _print(sys.stdout, _HELP)
        return 0
    if command in ("-V", "--version"):
        _print(sys.stdout, f"shardmill {metadata.version('shardmill')}\n")
        return 0
    if command == "train":
        return _train(rest)
    if command in ("prep", "loader"):
        _open_standard_streams()
        _let_interrupts_end_the_process()
        from shardmill import _core

        return _core.prep(rest) if command == "prep" else _core.loader(rest)
    if not command:
        _print(sys.stderr, _HELP)
        return 2
    near = difflib.get_close_matches(command, _COMMANDS, n=1)
    tip = f"\n\n  tip: a similar command exists: '{near[0]}'" if near else ""
    # A name that is not UTF-8 is shown with escapes.
    shown = command.encode(errors="backslashreplace").decode()
    _print(
        sys.stderr,
        f"error: unrecognized command '{shown}'{tip}\n\n{_USAGE}\n\nFor more information, try '--help'.\n",
    )
    return 2


def _train(arguments: list[str]) -> int:
    program = _find_train()
    if program is None:
        _print(sys.stderr, _NO_TRAIN)
        return 1
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    try:
        if os.name == "posix":
            # Python ignores these, and a program would inherit that.
            for name in ("SIGPIPE", "SIGXFSZ"):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execv(program, [program, *arguments])
        # Ctrl-C reaches both processes; the program answers it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.call([program, *arguments])
    except OSError as error:
        _print(sys.stderr, f"error: {program} cannot be run: {error.strerror}; install {_TRAIN} again\n")
        return 1


def _find_train() -> str | None:
    """The program beside this Python's scripts, or else in PATH."""
    folders = [*_script_folders(), None]
    return next(filter(None, (shutil.which(_TRAIN, path=folder) for folder in folders)), None)


def _script_folders() -> list[str]:
    """Where pip puts programs: of this environment, and of this user."""
    user = sysconfig.get_preferred_scheme("user")
    return [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)]


def _let_interrupts_end_the_process() -> None:
    """Python only notes Ctrl-C until it runs again; the programs are ended by it, or answer it themselves.

    Where the signal is ignored, as ``nohup`` and ``&`` in a script do, it stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_standard_streams() -> None:
    """Keeps the next file from becoming the standard output of a process that was started without one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)


def _print(stream: TextIO | None, text: str) -> None:
    """Prints; a reader that is gone is no error, as for the programs."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # What is left in the stream would be tried again, and complained of, when Python ends.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
