"""The console script ``shardmill``: the programs ``prep``, ``loader`` and ``train``.

``shardmill prep ...`` and ``shardmill loader ...`` run the programs themselves in this process, with the same
output, exit codes and handling of Ctrl-C. ``shardmill train ...`` runs the program of the package
``shardmill-train``, which is built and installed separately.
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
_COMMANDS = ("prep", "loader", "train", "ray-ingest", "help")
_USAGE = "Usage: shardmill <COMMAND> [ARGUMENTS]"
_HELP = f"""\
Turns image sets into shards, loads them, and trains AlexNet on them.

{_USAGE}

Commands:
  prep        Make shards from images, and verify, inspect, convert and export them
  loader      Measure how fast a dataset can be loaded
  train       Train AlexNet on shards; needs the package {_TRAIN}
  ray-ingest  Make shards on a Ray cluster; needs shardmill[ray]
  help        Print this help, or the help of a command

Options:
  -h, --help     Print this help
  -V, --version  Print the version

`shardmill COMMAND --help` explains a command. To use the loader itself, `import shardmill` in Python.
"""
_NO_TRAIN = f"""\
error: `shardmill train` needs the package {_TRAIN}, which is neither installed in this Python nor found in PATH.
Build it in a clone of Shardmill's repository, which takes minutes (see python/train/README.md):
  just python-train
  pip install target/wheels/shardmill_train-*.whl
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    ``argv`` are the arguments after the program's name, by default those of the process. Use it only in a process
    that does nothing else: Ctrl-C then ends the process as it ends the program, without ``KeyboardInterrupt``.
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
    if command == "ray-ingest":
        from shardmill.ray_ingest import cli

        return cli.main(rest)
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
    # Bytes that are not UTF-8 are shown as escapes.
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
            # Python ignores these signals, and the program would inherit that.
            for name in ("SIGPIPE", "SIGXFSZ"):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execv(program, [program, *arguments])
        # Ctrl-C reaches both processes; the program handles it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.call([program, *arguments])
    except OSError as error:
        _print(sys.stderr, f"error: cannot run {program}: {error.strerror}; install {_TRAIN} again\n")
        return 1


def _find_train() -> str | None:
    """Finds the program beside this Python's scripts, or else in PATH."""
    folders = [*_script_folders(), None]
    return next(filter(None, (shutil.which(_TRAIN, path=folder) for folder in folders)), None)


def _script_folders() -> list[str]:
    """The folders where pip installs programs, for this environment and for this user."""
    user = sysconfig.get_preferred_scheme("user")
    return [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)]


def _let_interrupts_end_the_process() -> None:
    """Restores the default action of Ctrl-C, which ends the programs unless they handle it themselves. Python's own
    handler would only run after the program has returned.

    If the signal is ignored, as with ``nohup`` or ``&`` in a script, it stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_standard_streams() -> None:
    """Opens missing standard streams, so that the next opened file does not become the standard output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # This takes the lowest free number, which is the missing one.
            os.open(os.devnull, os.O_RDWR)


def _print(stream: TextIO | None, text: str) -> None:
    """Prints; as in the programs, a closed pipe is not an error."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Otherwise Python would try to write the rest again at exit, and report an error.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
