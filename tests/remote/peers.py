"""Runs MosaicML Streaming and LitData through the proxy: speed, bytes, and what each does when something goes wrong.

    peers.py [--peers mosaic,mosaic-hash,litdata] [--scenarios NAME,...] [--server weed] [--images N] [--epochs N]
             [--cache-bytes N] [--workers N] [--limit SECONDS] [--no-check] [--work FOLDER]

`servers.py install --peers` comes first. The table has a line per peer and scenario: images/s of the first epoch and
of the second, the seconds of the whole program, and bytes fetched and cached in parts of the dataset's size.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import images
import proxy
import s3
import servers
import trial

PEERS = ("mosaic", "mosaic-hash", "litdata")
SCRIPT = pathlib.Path(__file__).with_name("peer.py")


def convert(peer: str, source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The images in a peer's format, made unless they are there."""
    if not (folder / "index.json").exists():
        print(f"converting for {peer}", flush=True)
        subprocess.run(
            [servers.PEERS, SCRIPT, "convert", peer, source, folder],
            check=True,
            timeout=600,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="other loaders through the proxy")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--scenarios", default=";".join(trial.SCENARIOS), help="names with semicolons between them")
    parser.add_argument("--server", default="weed", choices=servers.KINDS)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--cache-bytes", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=60)
    parser.add_argument("--no-check", action="store_true", help="for speed: images are not compared")
    parser.add_argument("--work", type=pathlib.Path, default=servers.WORK)
    parser.add_argument("--json", type=pathlib.Path, help="file to which every outcome is added as a line")
    options = parser.parse_args()
    source = options.work / f"images-{options.images}"
    images.make(source, options.images)
    with servers.running(options.server) as server, proxy.running(server.endpoint, server.keys) as between:
        settings = trial.fault_settings(between.endpoint, servers.environment(server.endpoint, server.keys))
        client = server.client(timeout=60)
        sizes = {}
        for peer in options.peers.split(","):
            folder = convert(peer, source, options.work / f"{peer}-{options.images}")
            client.make_bucket(peer)
            sizes[peer] = s3.upload(client, folder, peer, "set")
        client.close()
        print(trial.heading(), flush=True)
        for name in options.scenarios.split(";"):
            for peer, size in sizes.items():
                with tempfile.TemporaryDirectory(prefix="shardmill-peer-", ignore_cleanup_errors=True) as folder:
                    cache = pathlib.Path(folder) / "cache"
                    command = [servers.PEERS, SCRIPT, "epoch", peer, f"s3://{peer}/set", source, cache]
                    command += ["--epochs", options.epochs, "--workers", options.workers]
                    command += ["--cache-bytes", options.cache_bytes]
                    command += [] if options.no_check else ["--check"]
                    # What a peer leaves outside its cache is left here.
                    own = settings | {"HOME": folder, "TMPDIR": folder}
                    scenario = trial.SCENARIOS[name]
                    outcome = trial.run(command, own, cache, between, scenario, size, options.images, options.limit)
                print(trial.row(peer, name, outcome, size), flush=True)
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps({"peer": peer, "scenario": name, **vars(outcome)}) + "\n")


if __name__ == "__main__":
    main()
