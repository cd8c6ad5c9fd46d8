"""The programs that harness.py compares: each one's command line, and how its output becomes epochs. Only here.

Every command reads the dataset at `case.url` with the settings of the environment and a cache in `case.cache`.
"""

import contextlib
import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable

import servers

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Case:
    """What a command is made of."""

    url: str
    endpoint: str
    bucket: str
    # The same dataset in a folder, and a file with the SHA-256 of each of its files.
    local: pathlib.Path
    sums: pathlib.Path
    cache: pathlib.Path
    cache_bytes: int
    images: int
    epochs: int
    # The folder of `loader` and `prep`, and a Python that has the package `shardmill`.
    programs: pathlib.Path = servers.ROOT / "target" / "release"
    python: str = sys.executable

    def cache_flags(self) -> list:
        flags = ["--cache-dir", self.cache]
        return flags + (["--cache-bytes", self.cache_bytes] if self.cache_bytes else [])


def json_lines(output: str) -> list[dict]:
    found = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict)]


def bench_epochs(output: str, case: Case) -> list[dict]:
    """`loader bench` compares checksums itself. The first epoch is not one of those that it counts."""
    epochs = []
    for row in json_lines(output):
        first = row["fetched"]["first_epoch"]
        epochs.append({"images": case.images, "seconds": first["seconds"]})
        epochs.append({"images": case.images, "seconds": case.images / row["images_per_second"]})
    return epochs


def verify_epochs(output: str, case: Case) -> list[dict]:
    return [{"images": row["records"], "seconds": 0, "wrong": len(row["faults"])} for row in json_lines(output)]


def inspect_epochs(output: str, case: Case) -> list[dict]:
    # That it printed a description is all that is asked.
    return [{"images": case.images, "seconds": 0}] if json_lines(output) or "{" in output else []


def stand_in_epochs(output: str, case: Case) -> list[dict]:
    return [
        {"images": case.images, "seconds": row["seconds"], "wrong": len(row["wrong"])} for row in json_lines(output)
    ]


def reader_epochs(output: str, case: Case) -> list[dict]:
    return json_lines(output)


@dataclasses.dataclass
class Program:
    """A command, how to read its output, and scenarios whose outcome it cannot help."""

    command: Callable[[Case], list]
    epochs: Callable[[str, Case], list[dict]]
    exceptions: dict[str, str] = dataclasses.field(default_factory=dict)
    needs_ranges: bool = True


def reader(kind: str) -> Callable[[Case], list]:
    def command(case: Case) -> list:
        found = [case.python, HERE / "reader.py", kind, case.url, case.local, case.cache]
        return [*found, "--epochs", case.epochs, "--cache-bytes", case.cache_bytes]

    return command


def bench(case: Case, order: str) -> list:
    flags = [
        "--json",
        "--output",
        "u8",
        "--policy",
        "center",
        "--seconds",
        "0.5",
        "--order",
        order,
        "--batch-size",
        "64",
    ]
    return [case.programs / "loader", "bench", "--shards", case.url, *flags, *case.cache_flags()]


# A server that ignores ranges is refused in words.
REFUSED = {"ranges ignored": "error"}

PROGRAMS = {
    # Without checksums of records it takes what it is given.
    "stand-in": Program(
        lambda case: [sys.executable, HERE / "ranged.py", case.endpoint, case.bucket, "--sums", case.sums],
        stand_in_epochs,
        {"flipped once": "wrong", "always flipped": "wrong", "metadata flipped": "wrong"},
        needs_ranges=False,
    ),
    "loader bench": Program(lambda case: bench(case, "global"), bench_epochs, REFUSED),
    "loader bench --order shards": Program(lambda case: bench(case, "shards:1"), bench_epochs, REFUSED),
    "prep verify": Program(lambda case: [case.programs / "prep", "verify", case.url, "--json"], verify_epochs),
    # It reads the manifest and the index of each shard.
    "prep inspect": Program(lambda case: [case.programs / "prep", "inspect", case.url, "--json"], inspect_epochs),
    "Dataset": Program(reader("dataset"), reader_epochs),
    "Loader": Program(reader("loader"), reader_epochs),
}

# What `prep ingest` is called with, to a folder or to an address.
INGEST = ["--size", "256", "--codec", "raw", "--shard-records", "85", "--seed", "0"]


def ingest(case: Case, source: pathlib.Path, out: str | pathlib.Path) -> list:
    return [case.programs / "prep", "ingest", source, "--out", out, *INGEST]
