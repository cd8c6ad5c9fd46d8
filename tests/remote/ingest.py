"""Ingests into an object store, kills it, and compares every byte with an ingest into a folder.

    ingest.py PREP [--server plain|weed|moto] [--kills 50] [--seed N] [--only NAME ...] [--slow]

PREP is the program, built with `--features remote`. Each check prints a line with what it counted. The program's
outputs, the objects and the files that it leaves are searched for the secret key at the end.
"""

import argparse
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import images
import proxy
import s3
import servers

BUCKET = "shards"
# Many small shards, and some whose index is not in their first 64 KiB.
OPTIONS = ["--size", "32", "--shard-records", "6", "--val-fraction", "0.2"]
LARGE = ["--size", "128", "--shard-records", "40", "--val-fraction", "0.2"]
LONGEST = 600  # seconds of a command, whatever the network does


class Bench:
    """The program, a server, a proxy before it, and a folder for everything."""

    def __init__(self, options: argparse.Namespace, server: servers.Server, proxy: proxy.Running, folder: pathlib.Path):
        self.options, self.server, self.proxy, self.folder = options, server, proxy, folder
        self.client = server.client()
        self.dice = random.Random(options.seed)
        self.said: list[bytes] = []
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        # A home without settings of a user's.
        self.settings = os.environ | servers.environment(proxy.endpoint, server.keys)
        self.settings |= {"TMPDIR": str(self.temporary), "HOME": str(folder), "RUST_BACKTRACE": "0"}
        self.settings.pop("AWS_ENDPOINT_URL")
        self.source = folder / "images" / "png" / "train"

    def start(self, *words, **changed) -> subprocess.Popen:
        settings = {name: text for name, text in (self.settings | changed).items() if text is not None}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [self.options.prep, *map(str, words)], env=settings, cwd=self.folder, stdout=pipe, stderr=pipe
        )

    def end(self, process: subprocess.Popen, code: int | None = 0) -> str:
        """What the process says until it ends, which must be with this exit code."""
        out, error = process.communicate(timeout=LONGEST)
        self.said += [out, error]
        text = (out + error).decode()
        if code is not None and process.returncode != code:
            raise AssertionError(f"{process.args[1:]} ended with {process.returncode} and not {code}: {text}")
        return text

    def run(self, *words, code: int = 0, **changed) -> str:
        return self.end(self.start(*words, **changed), code)

    def ingest(self, out, *words, code: int = 0, settings=OPTIONS, **changed) -> str:
        return self.run("ingest", self.source, "--out", out, *settings, *words, code=code, **changed)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """The objects below a prefix, with their bytes."""
        names = self.client.list(BUCKET, prefix + "/")
        found = {name: self.client.get(f"{BUCKET}/{name}") for name in names}
        return {name[len(prefix) + 1 :]: answer.body for name, answer in found.items() if answer.status == 200}

    def clear(self, prefix: str) -> None:
        for name in self.client.list(BUCKET, prefix + "/"):
            self.client.expect((200, 204), "DELETE", f"{BUCKET}/{name}")

    def compare(self, prefix: str, folder: pathlib.Path) -> int:
        """Compares all objects with all files, and returns how many there are."""
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        found = self.objects(prefix)
        assert sorted(found) == sorted(files), (sorted(found), sorted(files))
        for name, body in files.items():
            assert found[name] == body, f"{prefix}/{name} has other bytes than the file"
        return len(files)

    def local(self, name: str, *words) -> pathlib.Path:
        folder = self.folder / name
        if not folder.exists():
            self.ingest(folder, *words)
        return folder


def url(prefix: str) -> str:
    return f"s3://{BUCKET}/{prefix}"


def same_bytes(bench: Bench) -> str:
    """The objects of an ingest are the files of one into a folder, with each codec."""
    count = 0
    for codec in ("raw", "zstd", "jpeg"):
        local = bench.local(codec, "--codec", codec)
        text = bench.ingest(url(codec), "--codec", codec)
        assert "1 image rejected" in text and "shards are made in" in text, text
        count += bench.compare(codec, local)
        assert "is complete already" in bench.ingest(url(codec), "--codec", codec)
        count -= bench.compare(codec, local) - len(list(local.iterdir()))
    assert not list(bench.temporary.iterdir()), list(bench.temporary.iterdir())
    return f"{count} objects of 3 codecs are the files"


def by_address(bench: Bench) -> str:
    """Every command says and writes of an address what it says and writes of the folder."""
    local = bench.folder / "large"
    bench.ingest(local, settings=LARGE)
    s3.upload(bench.client, local, BUCKET, "large")
    here = bench.folder / "read"
    here.mkdir()
    address = url("large")
    for words in (["inspect"], ["inspect", "--json"], ["verify"], ["verify", "--json", "--threads", "7"]):
        command, *rest = words
        said = [bench.run(command, place, *rest) for place in (local, address)]
        assert said[0] == said[1], said
    for number, words in enumerate(
        [
            ["inspect", "--montage", "PLACE.png"],
            ["extract", "--index", "7", "--out", "PLACE.png"],
            ["convert", "--codec", "zstd", "--out", "PLACE"],
            ["subset", "--fraction", "0.3", "--out", "PLACE"],
            ["export", "--to", "folder", "--out", "PLACE"],
        ]
    ):
        made = []
        for place, name in ((local, "folder"), (address, "address")):
            target = here / f"{number}-{name}"
            bench.run(words[0], place, *[word.replace("PLACE", str(target)) for word in words[1:]])
            files = sorted(path for path in here.rglob("*") if path.is_file() and f"{number}-{name}" in str(path))
            made.append([path.read_bytes() for path in files])
        assert made[0] == made[1] and made[0], words
    before = bench.proxy.command()["requests"]
    bench.run("inspect", address)
    requests = bench.proxy.command()["requests"] - before
    shards = len(list(local.glob("*.safetensors")))
    assert requests == 1 + 2 * shards, (requests, shards)
    return f"7 commands agree; inspect took {requests} requests for {shards} shards"


def damaged(bench: Bench) -> str:
    """A bit, a cut shard and a missing one are faults; a shard that a proxy cuts on its way is none."""
    local = bench.local("raw", "--codec", "raw")
    for prefix in ("damaged", "whole"):
        s3.upload(bench.client, local, BUCKET, prefix)
    names = sorted(path.name for path in local.glob("*.safetensors"))
    body = bytearray((local / names[0]).read_bytes())
    body[5000] ^= 1
    bench.client.put(f"{BUCKET}/damaged/{names[0]}", bytes(body))
    bench.client.put(f"{BUCKET}/damaged/{names[1]}", (local / names[1]).read_bytes()[:-1])
    bench.client.expect((200, 204), "DELETE", f"{BUCKET}/damaged/{names[2]}")
    text = bench.run("verify", url("damaged"), code=1)
    for name, words in zip(names, ["BLAKE3", "its size in bytes", "no such object"], strict=False):
        assert any(name in line and words in line for line in text.splitlines()), (name, words, text)
    assert "size in bytes" in bench.run("inspect", url("damaged"), code=1)
    bench.proxy.set(cut="p=0.2", match="safetensors")
    try:
        assert "0 faults" in bench.run("verify", url("whole"))
        injected = bench.proxy.command()["faults"]
    finally:
        bench.proxy.set(cut=None, match="")
    return f"3 kinds of damage are named; with {sum(injected.values())} lost connections there is no fault"


def check_journal(bench: Bench, prefix: str, local: pathlib.Path) -> int:
    """After a kill: what is there has the right bytes, and what the journal names is there."""
    found = bench.objects(prefix)
    shards = set()
    for name, body in found.items():
        if name.endswith(".safetensors") or name in ("manifest.json", "rejects.jsonl"):
            assert body == (local / name).read_bytes(), f"{name} has other bytes after a kill"
            shards.add(name)
        else:
            assert re.fullmatch(r"ingest-\d+-of-\d+\.journal/(header|.+\.safetensors)\.json", name), name
    lines = {name.partition("/")[2].removesuffix(".json") for name in found if name.endswith(".safetensors.json")}
    # A shard whose images were all rejected has no object.
    assert lines <= shards | {"header"}, lines - shards
    if "manifest.json" in found:
        assert {path.name for path in local.iterdir()} <= shards
    return len(lines)


def killed(bench: Bench) -> str:
    """SIGKILL at random moments, and what another run makes of it."""
    local = bench.local("raw", "--codec", "raw")
    # A server at some distance, so that there is time to kill.
    bench.proxy.set(delay_ms=40)
    kills = whole = lines = 0
    begun = time.monotonic()
    bench.ingest(url("timed"), "--codec", "raw")
    longest = time.monotonic() - begun
    try:
        while kills < bench.options.kills:
            process = bench.start("ingest", bench.source, "--out", url("killed"), *OPTIONS, "--codec", "raw")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(bench.dice.uniform(0, longest * 0.35))
            process.send_signal(signal.SIGKILL)
            text = bench.end(process, None)
            if process.returncode == -signal.SIGKILL:
                kills += 1
                lines += check_journal(bench, "killed", local)
            else:
                assert process.returncode == 0, text
                whole += 1
                bench.compare("killed", local)
                bench.clear("killed")
        text = bench.ingest(url("killed"), "--codec", "raw")
    finally:
        bench.proxy.set(delay_ms=0)
    count = bench.compare("killed", local)
    left = [path.name for path in bench.temporary.iterdir()]
    assert not left, left
    return (
        f"{kills} kills ({lines / max(kills, 1):.1f} lines in the journal on average), {whole} ingests complete "
        f"in between, each the same {count} objects; an unkilled one takes {longest:.1f} s"
    )


def parts(bench: Bench) -> str:
    """Three parts at a time with kills, and a merge that is killed too."""
    local = bench.local("raw", "--codec", "raw")
    bench.proxy.set(delay_ms=60)
    kills = merges = 0
    running = {}
    left = {"0/3", "1/3", "2/3"}
    words = ["ingest", bench.source, "--out", url("parts"), *OPTIONS, "--codec", "raw", "--part"]
    while left:
        for part in left - running.keys():
            running[part] = bench.start(*words, part)
        time.sleep(bench.dice.uniform(0.1, 0.5))
        victim = bench.dice.choice(sorted(left))
        if kills < 12:
            running[victim].kill()
        for part in sorted(running):
            if running[part].poll() is not None or part == victim:
                process = running.pop(part)
                text = bench.end(process, None)
                kills += process.returncode == -signal.SIGKILL
                assert process.returncode in (0, -signal.SIGKILL), text
                if process.returncode == 0:
                    left.discard(part)
    assert "not finished" in bench.run("inspect", url("parts"), code=1)
    refused = bench.ingest(url("parts"), "--codec", "raw", "--part", "0/2", code=1)
    assert "--part was one of 3 and is one of 2" in refused, refused
    while True:
        process = bench.start("merge", url("parts"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(bench.dice.uniform(0.05, 0.3 + 0.2 * merges))
        process.kill()
        text = bench.end(process, None)
        if process.returncode == 0:
            break
        merges += 1
        check_journal(bench, "parts", local)
    bench.proxy.set(delay_ms=0)
    assert "is complete already" in bench.run("merge", url("parts"))
    return f"{kills} kills of 3 parts and {merges} of the merge, {bench.compare('parts', local)} objects are the files"


def lost(bench: Bench) -> str:
    """Connections that are lost are made again; a server that is gone is an error that names what is missing."""
    local = bench.local("raw", "--codec", "raw")
    bench.proxy.set(delay_ms=10)
    process = bench.start("ingest", bench.source, "--out", url("lost"), *OPTIONS, "--codec", "raw")
    for _ in range(4):
        time.sleep(0.25)
        bench.proxy.command(refuse=0.6)
    bench.end(process)
    count = bench.compare("lost", local)
    process = bench.start("ingest", bench.source, "--out", url("gone"), *OPTIONS, "--codec", "raw")
    time.sleep(0.4)
    bench.proxy.command(refuse=40)
    begun = time.monotonic()
    text = bench.end(process, 1)
    seconds = time.monotonic() - begun
    time.sleep(max(0, 41 - seconds))
    bench.proxy.set(delay_ms=0)
    assert f"{url('gone')}/" in text and "the same command resumes it" in text, text
    return f"4 losses, {count} objects; without a server it ends after {seconds:.0f} s: {text.splitlines()[-1][:260]}"


def wrong(bench: Bench) -> str:
    """What cannot be done is refused in words, and leaves everything as it was."""
    s3.upload(bench.client, bench.local("raw", "--codec", "raw"), BUCKET, "done")
    bench.client.put(f"{BUCKET}/foreign/precious.txt", b"mine")
    bench.client.put(f"{BUCKET}/named/manifest.json", b"mine")
    raw = ["--codec", "raw"]
    process = bench.start("ingest", bench.source, "--out", url("begun"), *OPTIONS, *raw)
    while not any("safetensors.json" in name for name in bench.client.list(BUCKET, "begun/")):
        assert process.poll() is None, bench.end(process, None)
    process.send_signal(signal.SIGTERM)
    text = bench.end(process, 130)
    assert f"kept in {url('begun')}" in text, text
    before = {prefix: bench.objects(prefix) for prefix in ("foreign", "named", "begun", "done")}
    secret = "swordfish-and-more"
    cases = [
        ("another seed", [url("begun"), *raw, "--seed", "1"], "--seed was 0 and is 1", {}),
        ("another codec", [url("begun"), "--codec", "jpeg"], "--codec was raw and is jpeg", {}),
        ("foreign objects", [url("foreign")], "is not empty", {}),
        ("a foreign manifest", [url("named")], "named/manifest.json", {}),
        ("a finished one", [url("done"), *raw, "--seed", "1"], "--seed was 0 and is 1", {}),
        ("no bucket", ["s3://no-such-bucket/x"], "no such bucket", {}),
        ("one slash", [f"s3:/{BUCKET}/x"], "two slashes", {}),
        ("a key in the address", [f"s3://key:{secret}@{BUCKET}/x"], "taken from the environment", {}),
        ("a token in the address", [f"https://{BUCKET}.example/x?token={secret}"], "taken from the environment", {}),
        ("a web server", ["https://host.example/x"], "s3, gs or az", {}),
        ("no server", [url("x")], "Connection refused", {"AWS_ENDPOINT": "http://127.0.0.1:1"}),
    ]
    # The others check no signatures.
    if bench.server.kind == "weed":
        cases.append(("another secret", [url("x")], "denies access", {"AWS_SECRET_ACCESS_KEY": secret}))
    longest = 0.0
    for what, words, expected, changed in cases:
        begun = time.monotonic()
        text = bench.ingest(*words, code=1, **changed)
        longest = max(longest, time.monotonic() - begun)
        assert expected in text and "error: " in text, (what, text)
        assert secret not in text, what
    address = f"s3://key:{secret}@{BUCKET}/x"
    for words in (["verify", address], ["ingest", address, "--out", "x"], ["merge", address], ["plan", address]):
        assert secret not in bench.run(*words, code=1), words
    text = bench.run("convert", bench.folder / "raw", "--codec", "zstd", "--out", address, code=1)
    assert secret not in text, text
    for prefix, objects in before.items():
        assert bench.objects(prefix) == objects, prefix
    assert not bench.objects("x") and not (bench.folder / "s3:").exists()
    return f"{len(cases) + 5} refusals, the slowest after {longest:.0f} s"


def stalled(bench: Bench) -> str:
    """A server that takes an upload and does not answer."""
    if not bench.options.slow:
        return "left out: give --slow"
    bench.proxy.set(delay_ms=3_600_000)
    begun = time.monotonic()
    text = bench.run("verify", url("stalled"), code=1)
    read = time.monotonic() - begun
    bench.proxy.set(delay_ms=300)
    process = bench.start("ingest", bench.source, "--out", url("stalled"), *OPTIONS, "--codec", "raw")
    time.sleep(3)
    begun = time.monotonic()
    bench.proxy.set(delay_ms=3_600_000)
    text = bench.end(process, 1)
    bench.proxy.set(delay_ms=0)
    assert f"{url('stalled')}/" in text, text
    seconds = time.monotonic() - begun
    return f"a reader ends after {read:.0f} s, an ingest after {seconds:.0f} s: {text.splitlines()[-1][:200]}"


def search_secrets(bench: Bench) -> str:
    """The secret key is in nothing that was said or written."""
    secret = bench.server.keys[1].encode()
    assert len(secret) >= 8
    assert not any(secret in text for text in bench.said)
    names = bench.client.list(BUCKET)
    for name in names:
        assert secret not in bench.client.get(f"{BUCKET}/{name}").body, name
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    for path in files:
        assert secret not in path.read_bytes(), path
    return f"{len(bench.said)} outputs, {len(names)} objects and {len(files)} files hold no secret"


CHECKS = (same_bytes, by_address, damaged, killed, parts, lost, wrong, stalled)


def main() -> None:
    parser = argparse.ArgumentParser(description="ingests into an object store")
    parser.add_argument("prep", type=lambda text: pathlib.Path(shutil.which(text) or text).resolve())
    parser.add_argument("--server", choices=servers.KINDS, default="plain")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=[check.__name__ for check in CHECKS])
    parser.add_argument("--slow", action="store_true", help="also wait for a server that does not answer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardmill-ingest-test-") as name:
        folder = pathlib.Path(name)
        images.make(folder / "images", images=240, side=40, classes=4)
        (folder / "images/png/train/class-000/broken.png").write_bytes(b"no image")
        with servers.running(options.server) as server, proxy.running(server.endpoint, server.keys) as between:
            bench = Bench(options, server, between, folder)
            bench.client.make_bucket(BUCKET)
            for check in [*CHECKS, search_secrets]:
                if not options.only or check.__name__ in options.only or check is search_secrets:
                    begun = time.monotonic()
                    print(f"{check.__name__}: {check(bench)} ({time.monotonic() - begun:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
