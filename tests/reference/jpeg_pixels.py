"""Makes fixtures/jpeg-pixels.txt: tiny JPEGs with the pixels that libjpeg-turbo makes of them, to the bit.

Usage: python jpeg_pixels.py   (needs Pillow, built with libjpeg-turbo, and numpy)

Each line: a name, the JPEG in hexadecimal, and its RGB pixels in hexadecimal, row by row. The pictures have sharp
colours and odd sizes, so that every rule at an edge matters: what stands beyond the last sample, how halves are
rounded, and from which width on colours are interpolated.
"""
import io, pathlib

import numpy as np
from PIL import Image, features

# Names are samples of luminance for each of the colours, across and down.
SUBSAMPLINGS = {"1x1": "4:4:4", "2x1": "4:2:2", "2x2": "4:2:0", "4x1": "4:1:1"}
SIZES = [(1, 1), (2, 3), (3, 2), (4, 5), (5, 4), (7, 17), (16, 16), (17, 15), (31, 9), (9, 34), (35, 33)]


def picture(width, height, seed):
    noise = np.random.default_rng(seed)
    coarse = noise.integers(0, 256, (height // 3 + 1, width // 3 + 1, 3))
    picture = np.kron(coarse, np.ones((3, 3, 1)))[:height, :width]
    return Image.fromarray((picture * 0.8 + noise.integers(0, 52, picture.shape)).astype(np.uint8))


def patched(jpeg, across, down):
    """The same data with another sampling of luminance: of as many blocks a unit, in another arrangement."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[:at + 11] + bytes([across << 4 | down]) + jpeg[at + 12:]


def streams():
    for number, (width, height) in enumerate(SIZES):
        image = picture(width, height, number)
        for name, subsampling in SUBSAMPLINGS.items():
            for quality, options in ((92, {}), (35, {"restart_marker_blocks": 2})):
                file = io.BytesIO()
                image.save(file, "JPEG", quality=quality, subsampling=subsampling, **options)
                yield f"{name}-{width}x{height}-q{quality}", file.getvalue()
            # 4:4:0, which Pillow does not write: the units of 4:2:2 one below the other.
            if name == "2x1" and (width + 15) // 16 * ((height + 7) // 8) == (width + 7) // 8 * ((height + 15) // 16):
                yield f"1x2-{width}x{height}", patched(file.getvalue(), 1, 2)
        file = io.BytesIO()
        image.convert("L").save(file, "JPEG", quality=80)
        yield f"grey-{width}x{height}", file.getvalue()


out = pathlib.Path(__file__).parent / "fixtures/jpeg-pixels.txt"
lines = []
for name, jpeg in streams():
    pixels = Image.open(io.BytesIO(jpeg)).convert("RGB").tobytes()
    lines.append(f"{name} {jpeg.hex()} {pixels.hex()}")
out.write_text("\n".join(lines) + "\n")
print(f"{len(lines)} pictures, libjpeg-turbo {features.version('libjpeg_turbo')}")
