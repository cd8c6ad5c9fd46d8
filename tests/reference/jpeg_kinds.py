"""Makes fixtures/jpeg-kinds.txt: small JPEGs of every kind, with what libjpeg-turbo makes of them.

Usage: python jpeg_kinds.py   (needs Pillow, numpy, and cjpeg of libjpeg-turbo)

Each line: a name, the JPEG in hexadecimal, and the mean red, green and blue of each cell of its decoded picture in
hexadecimal, row by row. Pictures are square; 16x16 pixels have 4x4 cells, 33x33 pixels 3x3 cells.

colours-*: every combination of a JFIF segment, an Adobe segment and component identifiers, which together say what
the components are. The same data means something else each time; most of these pictures are garish.
frame-*: samplings, divisions into scans, progressive coding and restart intervals.
"""
import io, pathlib, struct, subprocess, sys, tempfile

import numpy as np
from PIL import Image, features

SOF = (0xC0, 0xC1, 0xC2)


def picture(side):
    y, x = np.mgrid[0:side, 0:side] / side
    planes = [127 + 90 * np.sin(5 * x + 2 * y), 127 + 90 * np.cos(2 * x - 6 * y), 127 + 90 * np.sin(9 * x * y + 1)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def decoded(jpeg, cells):
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(float)
    side = pixels.shape[0] // cells
    means = pixels.reshape(cells, side, cells, side, 3).mean((1, 3))
    return bytes(np.rint(means).astype(np.uint8).ravel())


def segments(jpeg):
    """Marker, start and end of each segment in front of the first scan's data."""
    at = 2
    while True:
        marker, length = jpeg[at + 1], struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        yield marker, at, at + 2 + length
        at += 2 + length
        if marker == 0xDA:
            return


def said(jpeg, jfif, adobe, ids):
    """The same JPEG with other segments and identifiers."""
    out = bytearray(jpeg[:2])
    if jfif:
        out += b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    if adobe is not None:
        out += b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([adobe])
    old, rest = None, 0
    for marker, start, end in segments(jpeg):
        segment = bytearray(jpeg[start:end])
        if marker in SOF:
            count = segment[9]
            old = bytes(segment[10:10 + 3 * count:3])
            segment[10:10 + 3 * count:3] = ids[:count]
        if marker == 0xDA:
            rest = start
            break
        if not 0xE0 <= marker <= 0xEF:
            out += segment
    tail = bytearray(jpeg[rest:])
    at = tail.find(b"\xff\xda")
    while at >= 0:
        for i in range(tail[at + 4]):
            place = at + 5 + 2 * i
            tail[place] = ids[old.index(tail[place])]
        at = tail.find(b"\xff\xda", at + 2)
    return bytes(out + tail)


def colours():
    image = picture(16)
    for progressive in (False, True):
        for mode in ("L", "RGB", "CMYK"):
            file = io.BytesIO()
            image.convert(mode).save(file, "JPEG", quality=85, subsampling=0, optimize=True, progressive=progressive)
            identifiers = [bytes([1, 2, 3, 4])]
            if mode == "RGB":
                identifiers += [b"RGB", bytes([0, 1, 2]), b"abc"]
            if mode == "CMYK":
                identifiers += [b"CMYK"]
            for jfif in (False, True):
                for adobe in (None, 0, 1, 2):
                    for ids in identifiers:
                        jpeg = said(file.getvalue(), jfif, adobe, ids)
                        kind = "progressive" if progressive else "baseline"
                        name = "".join(f"{i:02x}" for i in ids)
                        jfif_name = "jfif" if jfif else "plain"
                        yield f"colours-{kind}-{mode}-{jfif_name}-adobe{'' if adobe is None else adobe}-{name}", jpeg


SCANS = {
    "one": None,
    "each": "0;1;2;",
    "two": "0;1,2;",
    "first": "0,1;2;",
    "bands": "0,1,2: 0-0, 0, 0; 0: 1-63, 0, 0; 1: 1-63, 0, 0; 2: 1-63, 0, 0;",
    "steps": "0: 0-0, 0, 1; 1: 0-0, 0, 1; 2: 0-0, 0, 1; 0: 1-63, 0, 1; 1: 1-63, 0, 0; 2: 1-63, 0, 0;"
             "0: 1-63, 1, 0; 0,1,2: 0-0, 1, 0;",
    "turned": "2: 0-0, 0, 0; 1: 0-0, 0, 0; 0: 0-0, 0, 0; 2: 1-63, 0, 0; 0: 1-5, 0, 2; 0: 6-63, 0, 2; 1: 1-63, 0, 0;"
              "0: 1-63, 2, 1; 0: 1-63, 1, 0;",
}

SAMPLINGS = """1x1,1x1,1x1 2x1,1x1,1x1 1x2,1x1,1x1 2x2,1x1,1x1 4x1,1x1,1x1 1x4,1x1,1x1 4x2,1x1,1x1 2x4,1x1,1x1 1x3,1x1,1x1
2x2,2x1,2x1 2x2,1x2,1x2 2x2,2x1,1x2 2x2,1x2,2x1 2x2,2x2,1x1 2x2,1x1,2x2 2x1,2x1,1x1 2x1,1x1,2x1 1x2,1x2,1x1 2x1,2x1,2x1
1x2,1x2,1x2 4x1,2x1,2x1 4x1,2x1,1x1 4x1,4x1,1x1 2x3,1x1,1x1 2x3,2x1,1x1 3x1,1x1,1x1 3x2,1x1,1x1 3x1,3x1,1x1 1x4,1x2,1x2
1x4,1x4,1x1 1x3,1x3,1x1 1x1,2x1,1x1 1x1,2x2,2x2 1x1,2x1,2x1 1x1,1x2,1x2 1x2,2x1,1x1 2x1,1x2,1x1 3x1,2x1,1x1""".split()


def frames():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        picture(33).save(folder / "picture.ppm")

        def cjpeg(*arguments):
            arguments = ["cjpeg", "-quality", "50", "-optimize", *arguments, folder / "picture.ppm"]
            made = subprocess.run(arguments, capture_output=True)
            # A unit of an interleaved scan holds ten blocks at most.
            return None if made.returncode else made.stdout

        for sampling in SAMPLINGS:
            for scans, script in SCANS.items():
                for restart in (0, 3):
                    rare = restart or scans in ("two", "first", "bands", "turned")
                    if rare and SAMPLINGS.index(sampling) > 3:
                        continue
                    options = ["-sample", sampling]
                    if script:
                        (folder / "scans").write_text(script)
                        options += ["-scans", folder / "scans"]
                    if restart:
                        options += ["-restart", f"{restart}B"]
                    jpeg = cjpeg(*options)
                    if jpeg:
                        yield f"frame-{sampling}-{scans}-restart{restart}", jpeg
        for sampling in ("1x1", "2x2", "3x1", "1x4"):
            for progressive in ((), ("-progressive",)):
                options = ["-grayscale", "-sample", sampling, *progressive]
                yield f"frame-{sampling}-{'bands' if progressive else 'one'}-grey", cjpeg(*options)
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                file = io.BytesIO()
                options = dict(quality=50, subsampling=subsampling, progressive=progressive)
                picture(33).convert("CMYK").save(file, "JPEG", optimize=True, **options)
                name = ("1x1", "2x1", "2x2")[subsampling] + ",1x1,1x1,1x1"
                yield f"frame-{name}-{'bands' if progressive else 'one'}-cmyk", file.getvalue()


out = pathlib.Path(__file__).parent / "fixtures/jpeg-kinds.txt"
lines = [f"{name} {jpeg.hex()} {decoded(jpeg, 4).hex()}" for name, jpeg in colours()]
lines += [f"{name} {jpeg.hex()} {decoded(jpeg, 3).hex()}" for name, jpeg in frames()]
out.write_text("\n".join(lines) + "\n")
print(f"{len(lines)} kinds, libjpeg-turbo {features.version('libjpeg_turbo')}")
