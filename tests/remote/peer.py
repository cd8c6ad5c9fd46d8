"""MosaicML Streaming and LitData, each behind the same two commands. It runs in their virtual environment.

    peer.py convert PEER IMAGES FOLDER           writes the images of images.py in the peer's format
    peer.py epoch PEER URL IMAGES CACHE [--epochs N] [--cache-bytes N] [--workers N] [--check]

PEER is mosaic, mosaic-hash (which also compares checksums) or litdata. `epoch` prints a line of JSON per epoch. With
`--check` every image is compared with its CRC-32.
"""

import argparse
import json
import os
import pathlib
import time
import zlib

import numpy as np

BATCH = 64
# Bytes of a shard, for both.
SHARD = 16 << 20


def convert_mosaic(described: dict, pixels: np.ndarray, folder: str, hashes: list[str] | None) -> None:
    from streaming import MDSWriter

    side = described["side"]
    columns = {"number": "int", "label": "int", "pixels": f"ndarray:uint8:{side},{side},3"}
    with MDSWriter(out=folder, columns=columns, size_limit=SHARD, hashes=hashes) as writer:
        for number, image in enumerate(pixels):
            writer.write({"number": number, "label": number % described["classes"], "pixels": image})


class Sample:
    """One image by its number. LitData pickles this for its worker."""

    def __init__(self, described: dict, path: pathlib.Path):
        self.side, self.classes, self.path = described["side"], described["classes"], path

    def __call__(self, number: int) -> dict:
        size = self.side * self.side * 3
        image = np.fromfile(self.path, np.uint8, size, offset=number * size).reshape(self.side, self.side, 3)
        return {"number": number, "label": number % self.classes, "pixels": image}


def convert_litdata(described: dict, path: pathlib.Path, folder: str) -> None:
    import litdata

    numbers = list(range(described["images"]))
    # Its own choice, spawn, waits for ever for a worker that has ended.
    litdata.optimize(Sample(described, path), numbers, folder, chunk_bytes=SHARD, num_workers=1, start_method="fork")


def mosaic(options: argparse.Namespace):
    import torch.utils.data
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    # What an earlier process left behind when it was killed.
    clean_stale_shared_memory()
    dataset = StreamingDataset(
        remote=options.url,
        local=options.cache,
        batch_size=BATCH,
        shuffle=True,
        cache_limit=options.cache_bytes or None,
        validate_hash="xxh64" if options.peer == "mosaic-hash" else None,
    )
    if not options.as_is:
        # The client that fetched the index stays open, forked workers share its connection, and each may be given the
        # answers to another's requests: checksum failures, or a hang, without any fault.
        for stream in dataset.streams:
            stream._downloader.clean_up()
    return torch.utils.data.DataLoader(dataset, batch_size=BATCH, num_workers=options.workers)


def litdata_loader(options: argparse.Namespace):
    import litdata
    from litdata.streaming import downloader

    if not options.as_is:
        # There is no setting for it, and without it a server without TLS is refused.
        downloader._OBSTORE_CLIENT_OPTIONS = {**downloader._OBSTORE_CLIENT_OPTIONS, "allow_http": True}
    settings = {
        "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    }
    dataset = litdata.StreamingDataset(
        options.url,
        cache_dir=options.cache,
        shuffle=True,
        storage_options=settings,
        max_cache_size=options.cache_bytes or "100GB",
    )
    return litdata.StreamingDataLoader(dataset, batch_size=BATCH, num_workers=options.workers)


def run_epoch(loader, sums: list[int] | None) -> dict:
    started = time.monotonic()
    images = wrong = 0
    first = None
    seen: set[int] = set()
    for batch in loader:
        first = first or time.monotonic() - started
        numbers, pixels = batch["number"].tolist(), batch["pixels"].numpy()
        images += len(numbers)
        if sums:
            seen.update(numbers)
            # A number that was damaged itself names no image, or another.
            right = (
                0 <= n < len(sums) and zlib.crc32(image) == sums[n] for n, image in zip(numbers, pixels, strict=True)
            )
            wrong += sum(not one for one in right)
    seconds = time.monotonic() - started
    missing = len(sums) - len(seen) if sums else 0
    return {
        "images": images,
        "seconds": round(seconds, 3),
        "first_batch": round(first or 0, 3),
        "wrong": wrong,
        "missing": missing,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="other loaders")
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert")
    epoch = commands.add_parser("epoch")
    for command in (convert, epoch):
        command.add_argument("peer", choices=["mosaic", "mosaic-hash", "litdata"])
    epoch.add_argument("url")
    for command in (convert, epoch):
        command.add_argument("images", type=pathlib.Path)
    convert.add_argument("folder")
    epoch.add_argument("cache")
    epoch.add_argument("--epochs", type=int, default=1)
    epoch.add_argument("--cache-bytes", type=int, default=0)
    epoch.add_argument("--workers", type=int, default=2)
    epoch.add_argument("--check", action="store_true")
    epoch.add_argument("--as-is", action="store_true", help="without the repairs that the peers need here")
    options = parser.parse_args()
    described = json.loads((options.images / "images.json").read_text())
    path = options.images / "pixels.bin"
    if options.command == "convert":
        shape = (described["images"], described["side"], described["side"], 3)
        if options.peer == "litdata":
            convert_litdata(described, path, options.folder)
        else:
            hashes = ["xxh64"] if options.peer == "mosaic-hash" else None
            convert_mosaic(described, np.memmap(path, np.uint8, "r", shape=shape), options.folder, hashes)
        return
    loader = litdata_loader(options) if options.peer == "litdata" else mosaic(options)
    for _ in range(options.epochs):
        print(json.dumps(run_epoch(loader, described["sums"] if options.check else None)), flush=True)


if __name__ == "__main__":
    main()
