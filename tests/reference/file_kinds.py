"""Writes fixtures/kinds/: small files of kinds that no encoder in Rust writes.

The picture is the one that `picture` in prep/tests/it/cases/decoders.rs draws, 40 by 40 pixels.
Needs pillow, numpy, tifffile and imagecodecs. Made with Pillow 13.0.0, tifffile 2026.3.3 and
imagecodecs 2026.3.6.
"""

from pathlib import Path

import numpy
import tifffile
from PIL import Image

OUT = Path(__file__).parent / "fixtures" / "kinds"
SIDE = 40


def picture():
    y, x = numpy.mgrid[:SIDE, :SIDE]
    noise = ((x * 31 + y * 17) * 2_654_435_761 % 2**32) >> 26
    return numpy.stack([x * 3 + noise, y * 5 + noise, x + y + 90], -1).astype(numpy.uint8)


def main():
    OUT.mkdir(exist_ok=True)
    pixels = picture()
    for side in (16, 32):
        tifffile.imwrite(
            OUT / f"lzw-tile-{side}.tif",
            pixels,
            photometric="rgb",
            compression="lzw",
            tile=(side, side),
            metadata=None,
            software=False,
        )
    image = Image.fromarray(pixels)
    image.save(OUT / "lossy.webp", quality=80)
    image.save(OUT / "zstd.tif", compression="zstd")
    quantised = image.quantize(50)
    quantised.save(OUT / "palette.tif")
    quantised.convert("RGB").save(OUT / "palette.png", optimize=True)


main()
