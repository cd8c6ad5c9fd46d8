"""Makes the images that all programs of a comparison are given: blocks of random colours, the same for the same seed.

    images.py FOLDER [--images N] [--side PIXELS] [--classes N] [--seed N]

`FOLDER/png/train/CLASS/NUMBER.png` is for `prep ingest`, `FOLDER/pixels.bin` holds the same pixels one image after
another for the peers, and `FOLDER/images.json` says how many there are, their labels and the CRC-32 of each.
"""

import argparse
import json
import pathlib
import random
import struct
import zlib

BLOCK = 8


def pixels_of(dice: random.Random, side: int) -> bytes:
    """RGB of one image: blocks, so that JPEG and zstd find something to compress."""
    rows = []
    for _ in range(side // BLOCK):
        colours = dice.randbytes(3 * (side // BLOCK))
        row = b"".join(colours[at : at + 3] * BLOCK for at in range(0, len(colours), 3))
        rows.append(row * BLOCK)
    return b"".join(rows)


def png(pixels: bytes, side: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[at : at + 3 * side] for at in range(0, len(pixels), 3 * side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows, 1)) + part(b"IEND", b"")


def make(folder: pathlib.Path, images: int = 1000, side: int = 256, classes: int = 10, seed: int = 0) -> dict:
    """Makes the images unless they are there, and returns what `images.json` says."""
    wanted = {"images": images, "side": side, "classes": classes, "seed": seed}
    described = folder / "images.json"
    if described.exists():
        found = json.loads(described.read_text())
        if {name: found.get(name) for name in wanted} == wanted:
            return found
        raise SystemExit(f"error: {folder} holds other images: give another folder, or remove it")
    if side % BLOCK:
        raise SystemExit(f"error: the side must be a multiple of {BLOCK}")
    dice = random.Random(seed)
    sums = []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pixels.bin").open("wb") as file:
        for number in range(images):
            pixels = pixels_of(dice, side)
            file.write(pixels)
            sums.append(zlib.crc32(pixels))
            place = folder / "png" / "train" / f"class-{number % classes:03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:06}.png").write_bytes(png(pixels, side))
    # Written last, so that what was interrupted is not taken for complete.
    found = wanted | {"sums": sums}
    described.write_text(json.dumps(found))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="images for comparisons")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make(options.folder, options.images, options.side, options.classes, options.seed)
