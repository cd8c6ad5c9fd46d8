"""The command line of ``python -m shardmill.bench``."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from shardmill import _core

from . import data
from .client import FailedError, SkippedError
from .peers import PEERS
from .report import Setting, row, table
from .runner import RUST, TORCH, take_turns
from .work import WORKS, Job

OTHERS = (RUST.replace(" ", "-"), "torch")
"""What ``--peers`` can name besides peers: the Rust program and our loader with torch."""


def names(text: str, known: Sequence[str], what: str) -> list[str]:
    """Parses a comma-separated list of known names and drops repetitions."""
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in found:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no {what} is called {name!r}: choose from {', '.join(known)}")
    return found


def whole(text: str) -> int:
    """Parses an integer of at least 1."""
    with contextlib.suppress(ValueError):
        if (number := int(text)) >= 1:
            return number
    raise argparse.ArgumentTypeError(f"give an integer of at least 1, not {text!r}")


def duration(text: str) -> float:
    """Parses seconds, above zero and at most an hour."""
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= 3600:
            return seconds
    raise argparse.ArgumentTypeError(f"give seconds above 0 and up to 3600, not {text!r}")


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m shardmill.bench",
        description="Compares the loader with FFCV, DALI, torchvision, WebDataset and Mosaic Streaming, as far as "
        "they are installed. The loaders take turns: ours, a peer, ours, the next peer, ...",
        epilog="kinds of work: " + "; ".join(f"{work.name}: {work.title}" for work in WORKS.values()),
    )
    add = found.add_argument
    everyone = (*PEERS, *OTHERS)
    add("--shards", type=Path, metavar="DIR", help="your own shards [shards made from generated images]")
    add("--split", default="train", help="split of the shards [train]")
    add("--images", type=whole, default=4096, help="images to generate [4096; 0.8 GB in each format]")
    add("--side", type=whole, default=256, help="side of the generated images, in pixels [256]")
    add("--crop", type=whole, help="side of the crop window [224, or 7/8 of a smaller record]")
    add("--threads", type=whole, default=2, help="threads or worker processes of each loader [2]")
    add("--batch-size", type=whole, default=256, help="images in a batch [256]")
    add("--rounds", type=whole, default=5, help="turns of each loader [5]")
    add("--seconds", type=duration, default=2.0, help="shortest turn; a turn is whole epochs [2]")
    add(
        "--peers",
        type=lambda text: names(text, everyone, "loader"),
        default=list(everyone),
        metavar="A,B",
        help=f"loaders to compare ours with: {', '.join(everyone)} [all]; '' for none",
    )
    add(
        "--work",
        type=lambda text: names(text, list(WORKS), "work"),
        default=list(WORKS),
        metavar="A,B",
        help=f"kinds of work: {', '.join(WORKS)} [all]",
    )
    add("--keep", type=Path, metavar="DIR", help="keep the data in DIR, and reuse them from there")
    add("--json", action="store_true", help="print one JSON object per row instead of tables")
    return found


@contextlib.contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """The folder of the data, for as long as they are needed."""
    if keep is not None:
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="shardmill-bench-") as made:
            yield Path(made)


def measure(args: argparse.Namespace) -> int:
    """Makes the data, measures and prints; returns 1 if our own loader failed at any work."""
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    if args.shards is not None and _core.is_address(args.shards):
        raise ValueError("--shards: the other loaders read files, so copy the dataset into a folder and give that")
    others = [{"torch": TORCH, OTHERS[0]: RUST}.get(name, name) for name in args.peers]
    failed = False
    with folder(args.keep) as place:
        made = data.make(
            place,
            shards=args.shards,
            split=args.split,
            images=args.images,
            side=args.side,
            codecs={WORKS[name].codec for name in args.work},
            say=say,
        )
        crop = args.crop or (224 if made.side >= 256 else max(1, made.side * 7 // 8))
        if crop > made.side:
            raise ValueError(f"--crop {crop}: the records are {made.side} pixels wide or high")
        setting = Setting(args.threads, args.batch_size, made.images, crop, made.jpeg_bytes)
        if not args.json:
            print("\n".join(setting.lines()))
        for name in args.work:
            work = WORKS[name]

            def job(loader: str, name: str = name) -> Job:
                return Job(
                    loader=loader,
                    work=name,
                    shards=str(made.shards[WORKS[name].codec]),
                    raw_shards=str(made.shards["raw"]),
                    split=args.split,
                    forms=str(made.forms),
                    threads=args.threads,
                    batch_size=args.batch_size,
                    crop=crop,
                )

            say(f"work {name}: {work.title}")
            results = take_turns(others, job, args.rounds, args.seconds, say)
            failed |= not results[0].rounds or bool(results[0].failed)
            if args.json:
                for result in results:
                    print(json.dumps(row(work, result, setting)), flush=True)
            else:
                print("\n" + table(work, results, setting), flush=True)
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; the exit status is 0, or 1 if our loader failed, 2 for wrong usage, 130 after Ctrl-C."""
    args = parser().parse_args(arguments)
    # On SIGTERM the benchmark cleans up: it kills its processes and removes its images.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return measure(args)
    except (OSError, ValueError, FailedError, SkippedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
