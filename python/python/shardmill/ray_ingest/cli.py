"""``shardmill ray-ingest``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from shardmill.errors import SettingError, ShardmillError
from shardmill.ray_ingest.driver import ingest

__all__ = ["main", "parser"]

_EPILOG = """\
Every node needs the package shardmill[ray], of one version, and sees SRC under the same path, and DIR too, unless that
is an address. The bytes are those of `prep ingest` with the same options, which resumes what this command began, and
the other way round. If a worker or a node dies, Ray gives its shard to another. Compressed tars and Parquet files are
refused, since every machine would have to unpack all of them.
"""


def parser() -> argparse.ArgumentParser:
    """The arguments; those that `prep ingest` has too have its names, values and defaults."""
    found = argparse.ArgumentParser(
        prog="shardmill ray-ingest",
        description="Decode, resize and pack the images of SRC into shards on a Ray cluster: one task a shard.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = found.add_argument
    add("source", metavar="SRC", help="the images, as for `prep ingest`; class folders, plain tars or a list")
    add("--out", metavar="DIR", required=True, help="folder that every node sees, or an address: s3://bucket/dataset")
    add("--address", metavar="A", help="of the cluster; by default RAY_ADDRESS, the one of this machine, or a new one")
    add("--cpus-per-shard", metavar="N", type=int, help="by default as many as let all shards be made at once")
    add("--retries", metavar="N", type=int, default=10, help="times that a lost shard is made again; -1: any number")
    add("--work", metavar="DIR", help="with an address: each node's folder for shards that are not uploaded yet")
    add("--layout", help="form of SRC; detected by default")
    add("--codec", default="raw", help="raw (default), zstd or jpeg")
    add("--quality", metavar="N", type=int, help="JPEG quality, 1 to 100, with --codec jpeg; 90 by default")
    add("--size", metavar="N", type=int, default=256, help="side of the square records, in pixels; default 256")
    add("--resize", default="short-side", help="short-side (default) or squash")
    add("--filter", default="bilinear", help="bilinear (default), bicubic, lanczos3 or box")
    add("--exif", default="ignore", help="orientation: ignore it (default), or apply it")
    add("--truncated", default="reject", help="damaged JPEGs: reject (default) or pad")
    add("--check", default="decoded", help="where to look for damage in JPEGs: decoded (default) or whole")
    add("--on-error", default="reject", help="images that cannot be used: reject (default) or stop")
    add("--max-rejects", metavar="N|P%", help="stop once more images are rejected, on all nodes together")
    add("--shard-records", metavar="N", type=int, default=4096, help="images planned for each shard; default 4096")
    add("--seed", metavar="N", type=int, default=0, help="of the shuffle and the split; default 0")
    add("--decode-memory", metavar="BYTES", type=_bytes, help="for large images, in each task, such as 512M or 4G")
    add("--val-fraction", metavar="F", type=float, default=0.0, help="share of each class that becomes the split val")
    add("--without", metavar="SPLIT", action="append", default=[], help="leave out train, val or test; repeatable")
    add("--ignore-free-space", action="store_true", help="proceed even if the disk seems to have too little space")
    add("--json", action="store_true", help="print the summary as one JSON object")
    return found


def main(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code: 0, 1 after an error, 2 for invalid arguments, 130 after Ctrl-C."""
    try:
        options = vars(parser().parse_args(arguments))
    except SystemExit as error:
        return int(error.code or 0)
    is_json, out = options.pop("json"), options["out"]
    if options["quality"] is not None and options["codec"] != "jpeg":
        _say(f"note: --quality {options['quality']} is not used: codec {options['codec']} has none")
        options["quality"] = None
    try:
        summary = ingest(**options, say=_say)
    except SettingError as error:
        _say(f"error: {error}")
        return 2
    except ShardmillError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say(f"interrupted: what is finished is kept in {out}, and the same command resumes it")
        return 130
    print(json.dumps(summary) if is_json else _text(out, summary), flush=True)
    return 0


def _text(out: str, summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = [f"{out} is complete already"] if summary["was_complete"] else []
    lines += [f"{split}: {records:,} records" for split, records in summary["records"].items()]
    time = "" if summary["was_complete"] else f" in {summary['seconds']:.1f} s"
    lines.append(f"{summary['images']:,} images of {summary['classes']:,} classes{time}, {out}")
    for what, counts in (("rejected", summary["rejects"]), ("not quite right", summary["warned"])):
        if counts:
            shown = ", ".join(f"{count} {reason}" for reason, count in counts.items())
            lines.append(f"{sum(counts.values()):,} images {what} ({shown})")
    for kind in summary["passed_over"].values() if isinstance(summary["passed_over"], dict) else ():
        lines.append(f"passed over: {json.dumps(kind)}")
    return "\n".join([*lines, *(f"note: {note}" for note in summary["notes"])])


def _bytes(text: str) -> int:
    """An amount such as 512M."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    digits, shift = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 0)
    if not digits.isascii() or not digits.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory such as 512M or 4G")
    return int(digits) << shift


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
