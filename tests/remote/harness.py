"""Runs our programs on a dataset in an object store through the proxy, one scenario after another, and prints a table.

    harness.py [--program NAME,...] [--scenarios "NAME;..."] [--server plain] [--images N] [--epochs N]
               [--cache-bytes N] [--limit SECONDS] [--programs FOLDER] [--python PYTHON] [--work FOLDER] [--ingest]

The programs are those of ours.py, the scenarios those of trial.py. A correct program ends every scenario with right
bytes or with an error, as the scenario allows; otherwise its row says what was expected, and the exit code is 1. After
each scenario without fault the program runs again on the cache that it left. With `--ingest`, `prep ingest` writes to
the store, and the objects are compared with the files of an ingest into a folder.
"""

import argparse
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import images
import ours
import proxy
import s3
import servers
import trial

BUCKET = "shards"
# What can happen to a program that writes.
WRITING = ("no fault", "50 ms, 200 MB/s", "refused, 2 s", "503, 2 s")


def sums_of(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def prepare(options: argparse.Namespace) -> ours.Case:
    """The dataset in a folder, made unless it is there."""
    source = options.work / f"images-{options.images}"
    images.make(source, options.images)
    case = ours.Case(
        url=f"s3://{BUCKET}",
        endpoint="",
        bucket=BUCKET,
        local=options.work / f"shards-{options.images}",
        sums=options.work / f"shards-{options.images}.json",
        cache=pathlib.Path(),
        cache_bytes=options.cache_bytes,
        images=options.images,
        epochs=options.epochs,
        programs=options.programs,
        python=options.python,
    )
    if not (case.local / "manifest.json").exists():
        command = [str(word) for word in ours.ingest(case, source / "png", case.local)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"error: {' '.join(command)} failed: {made.stderr}")
    case.sums.write_text(json.dumps(sums_of(case.local)))
    return case


class Table:
    """Prints rows, and counts those that are not as expected."""

    def __init__(self, size: int):
        self.size = size
        self.as_expected = self.otherwise = 0
        print(trial.heading(), flush=True)

    def add(self, name: str, scenario: str, outcome: trial.Outcome, expected: str) -> None:
        if outcome.kind == expected:
            self.as_expected += 1
        else:
            self.otherwise += 1
            outcome.words = f"EXPECTED {expected.upper()}: {outcome.words}"
        print(trial.row(name, scenario, outcome, self.size), flush=True)


def read(case: ours.Case, between: proxy.Running, settings: dict, options: argparse.Namespace, table: Table) -> None:
    for scenario_name in options.scenarios.split(";"):
        scenario = trial.SCENARIOS[scenario_name]
        for name in options.program.split(","):
            program = ours.PROGRAMS[name]
            expected = program.exceptions.get(scenario_name, scenario.expected)
            if options.server == "rclone" and program.needs_ranges:
                # It answers ranges with the status of a whole object, which is refused in words.
                expected = "error"
            with tempfile.TemporaryDirectory(prefix="shardmill-cache-") as folder:
                mine = dataclasses.replace(case, cache=pathlib.Path(folder) / "cache")
                for label in [scenario_name, "its cache again"] if scenario_name == "no fault" else [scenario_name]:
                    outcome = trial.run(
                        program.command(mine), settings, mine.cache, between, scenario, table.size, case.images,
                        options.limit, lambda output, read=program.epochs, case=mine: read(output, case),
                    )  # fmt: skip
                    if case.cache_bytes and outcome.cache > case.cache_bytes:
                        outcome.kind, outcome.words = "wrong", f"the cache took {outcome.cache} bytes"
                    table.add(name, label, outcome, expected)


def write(case: ours.Case, between: proxy.Running, settings: dict, options: argparse.Namespace, table: Table) -> None:
    """`prep ingest` into the store, and whether the objects are the files of the folder."""
    source = options.work / f"images-{options.images}" / "png"
    expected = sums_of(case.local)
    client = s3.Client(between.endpoint, (settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]))
    for number, scenario_name in enumerate(WRITING):
        prefix = f"written-{number}"
        command = ours.ingest(case, source, f"s3://{BUCKET}/{prefix}")
        with tempfile.TemporaryDirectory(prefix="shardmill-ingest-") as folder:
            outcome = trial.run(
                command, settings, pathlib.Path(folder), between, trial.SCENARIOS[scenario_name], table.size, 0,
                options.limit, lambda output: [{"images": 0}],
            )  # fmt: skip
        if outcome.kind == "right":
            keys = client.list(BUCKET, prefix + "/")
            found = {
                key.rpartition("/")[2]: hashlib.sha256(client.get(f"{BUCKET}/{key}").body).hexdigest() for key in keys
            }
            if found != expected:
                differing = sorted(name for name in found | expected if found.get(name) != expected.get(name))
                outcome.kind, outcome.words = "wrong", f"objects differ from the folder's files: {differing[:5]}"
        table.add("prep ingest", scenario_name, outcome, "right")


def main() -> None:
    parser = argparse.ArgumentParser(description="our programs through the proxy")
    parser.add_argument("--program", default="stand-in", help=", ".join(ours.PROGRAMS))
    parser.add_argument("--scenarios", default=";".join(trial.SCENARIOS), help="names with semicolons between them")
    parser.add_argument("--server", default="plain", choices=servers.KINDS)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--cache-bytes", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60)
    parser.add_argument("--programs", type=pathlib.Path, default=servers.ROOT / "target" / "release")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--work", type=pathlib.Path, default=servers.WORK)
    parser.add_argument("--ingest", action="store_true")
    options = parser.parse_args()
    case = prepare(options)
    with servers.running(options.server) as server, proxy.running(server.endpoint, server.keys) as between:
        client = server.client(timeout=60)
        client.make_bucket(BUCKET)
        size = s3.upload(client, case.local, BUCKET)
        client.close()
        settings = trial.fault_settings(between.endpoint, servers.environment(server.endpoint, server.keys))
        case = dataclasses.replace(case, endpoint=between.endpoint)
        table = Table(size)
        (write if options.ingest else read)(case, between, settings, options, table)
    print(f"{table.as_expected} passed, {table.otherwise} failed")
    sys.exit(table.otherwise > 0)


if __name__ == "__main__":
    main()
