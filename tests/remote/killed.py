"""Kills a training and a loading from an object store again and again, and compares the end with a run from a folder.

    killed.py PROGRAMS [--server plain|weed|moto] [--kills 50] [--seed N] [--only training|loading]

PROGRAMS is the folder of `prep`, `loader` and `train`, built with `--features remote`. A training is killed at random
moments and resumed until it is complete; its last checkpoint must have the bytes of one from the folder. A loading is
killed at random moments; after each kill, every shard in its cache must have the bytes of its name. Every output, cache
and checkpoint is searched for the secret key.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile

import images
import s3
import servers

BUCKET = "shards"
# Many shards, with images that the smallest network takes.
INGEST = ["--size", "96", "--shard-records", "12", "--val-fraction", "0.2", "--codec", "raw"]
TRAIN = ["--width", "0.1", "--crop", "95", "--batch-size", "8", "--epochs", "3", "--order", "shards:1"]
TRAIN += ["--checkpoint-every", "3", "--final-views", "center"]
# Room for a few of the shards, so that they are fetched and evicted all the time.
CACHE_BYTES = 2_000_000
LONGEST = 300  # seconds of one command


class Bench:
    def __init__(self, options: argparse.Namespace, server: servers.Server, folder: pathlib.Path):
        self.options, self.folder, self.dice = options, folder, random.Random(options.seed)
        self.settings = os.environ | servers.environment(server.endpoint, server.keys) | {"HOME": str(folder)}
        self.secret = server.keys[1].encode()
        self.said: list[bytes] = []

    def run(self, program: str, *words, after: float | None = None) -> bool:
        """Runs a program to its end, or kills it after so many seconds. Returns whether it ended by itself."""
        command = [str(self.options.programs / program), *map(str, words)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=self.settings, cwd=self.folder, stdout=pipe, stderr=pipe)
        try:
            out, error = process.communicate(timeout=after or LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            self.said += process.communicate()
            if after is None:
                raise
            return False
        self.said += [out, error]
        if process.returncode:
            raise AssertionError(f"{command} ended with {process.returncode}: {(out + error).decode()}")
        return True

    def cache(self, name: str) -> list:
        return ["--cache-dir", self.folder / name, "--cache-bytes", CACHE_BYTES]


def check_cache(folder: pathlib.Path, local: pathlib.Path, partial: bool = True) -> int:
    """Compares every shard of a cache with the file of the dataset that has its BLAKE3. Returns how many there are."""
    manifest = json.loads((local / "manifest.json").read_text())
    files = {shard["blake3"]: shard["file"] for split in manifest["splits"].values() for shard in split["shards"]}
    # The cache's own folder in the one that it is given.
    folder = folder / "shardmill-cache"
    found = list(folder.glob("*.shard"))
    for path in found:
        assert path.read_bytes() == (local / files[path.stem]).read_bytes(), (
            f"{path} has other bytes than its name says"
        )
    assert partial or not list(folder.glob("*.part")), f"{folder} holds what did not arrive"
    return len(found)


def training(bench: Bench, local: pathlib.Path, url: str) -> str:
    bench.run("train", "--shards", local, "--out", "expected", *TRAIN)
    cache, kills, ended = bench.cache("training"), 0, False
    while not ended:
        resume = ["--resume"] if (bench.folder / "killed" / "last.safetensors").exists() else []
        after = bench.dice.uniform(0.02, 1.2) if kills < bench.options.kills else None
        ended = bench.run("train", "--shards", url, "--out", "killed", *resume, *TRAIN, *cache, after=after)
        kills += not ended
        if ended and kills < bench.options.kills:
            # It was too fast: another one begins.
            subprocess.run(["rm", "-r", bench.folder / "killed"], check=True)
            ended = False
        check_cache(bench.folder / "training", local)
    expected, found = (bench.folder / run / "last.safetensors" for run in ("expected", "killed"))
    assert expected.read_bytes() == found.read_bytes(), "the training that was killed ended with another checkpoint"
    held = check_cache(bench.folder / "training", local, partial=False)
    return f"{kills} kills, the last checkpoint has the bytes of one from a folder, {held} shards in the cache"


def loading(bench: Bench, local: pathlib.Path, url: str) -> str:
    words = [
        "bench",
        "--shards",
        url,
        "--order",
        "shards:1",
        "--batch-size",
        8,
        "--seconds",
        5,
        *bench.cache("loading"),
    ]
    for _ in range(bench.options.kills):
        assert not bench.run("loader", *words, after=bench.dice.uniform(0.02, 0.6))
        check_cache(bench.folder / "loading", local)
    bench.run("loader", *words[:-6], "--seconds", 0.2, *bench.cache("loading"))
    held = check_cache(bench.folder / "loading", local, partial=False)
    return f"{bench.options.kills} kills, every shard that was there had its bytes, {held} shards in the cache"


def search_secrets(bench: Bench) -> str:
    files = [path for path in bench.folder.rglob("*") if path.is_file() and path.suffix != ".png"]
    for text in bench.said:
        assert bench.secret not in text, text
    for path in files:
        assert bench.secret not in path.read_bytes(), path
    return f"{len(bench.said)} outputs and {len(files)} files hold no secret"


def main() -> None:
    parser = argparse.ArgumentParser(description="kills programs that read from an object store")
    parser.add_argument("programs", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--server", choices=servers.KINDS, default="plain")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("training", "loading"))
    options = parser.parse_args()
    with servers.running(options.server) as server, tempfile.TemporaryDirectory(prefix="shardmill-killed-") as name:
        bench = Bench(options, server, pathlib.Path(name))
        source, local = bench.folder / "images", bench.folder / "shards"
        images.make(source, 240, 96)
        bench.run("prep", "ingest", source / "png" / "train", "--out", local, *INGEST)
        client = server.client()
        client.make_bucket(BUCKET)
        s3.upload(client, local, BUCKET, "data")
        client.close()
        checks = [check for check in (training, loading) if options.only in (None, check.__name__)]
        for check in checks:
            print(f"{check.__name__}: {check(bench, local, f's3://{BUCKET}/data')}", flush=True)
        print(f"secrets: {search_secrets(bench)}", flush=True)


if __name__ == "__main__":
    main()
