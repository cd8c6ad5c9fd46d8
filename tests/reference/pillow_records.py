"""Makes fixtures/pillow.txt: what Pillow makes of images at torchvision's geometry, Resize(256) with the
antialiased bilinear filter, then CenterCrop(256).

Usage: python pillow_records.py FOLDER   (the folder that holds imagenet/train/, as of imagenet-samples.tar)

Each line: the image's path, and 256 bytes of its 256x256 RGB record in hexadecimal. The places are those of
Knuth's and Lewis's generator, x = 1664525 x + 1013904223 modulo 2^32, begun with x = the line's number
counted from 1: each next x gives the place (x >> 8) modulo 196608. A random sample of places bounds the mean
absolute difference over the record without storing it.

The images self/*.jpg are drawn here, so that a clone without the samples tests something too; they are kept
in fixtures/pillow/ and only drawn when missing, since encoders differ between versions.
"""
import math, pathlib, sys

from PIL import Image, features

SIZE, SAMPLES = 256, 256
fixtures = pathlib.Path(__file__).parent / "fixtures"


def record(path):
    image = Image.open(path).convert("RGB")
    short, long = min(image.size), max(image.size)
    longer = int(SIZE * long / short)
    size = (SIZE, longer) if image.width <= image.height else (longer, SIZE)
    image = image.resize(size, Image.BILINEAR)
    left, top = (int(round((side - SIZE) / 2.0)) for side in image.size)
    return image.crop((left, top, left + SIZE, top + SIZE)).tobytes()


def sample(pixels, line):
    x, places = line, []
    for _ in range(SAMPLES):
        x = (1664525 * x + 1013904223) % 2**32
        places.append((x >> 8) % len(pixels))
    return bytes(pixels[place] for place in places)


def draw(folder):
    folder.mkdir(exist_ok=True)
    kinds = {
        "420": ((320, 240), dict(subsampling=2)),
        "422": ((301, 283), dict(subsampling=1)),
        "444": ((277, 391), dict(subsampling=0)),
        "grey": ((300, 333), {}),
        "progressive": ((320, 240), dict(subsampling=2, progressive=True)),
        "restart": ((330, 260), dict(subsampling=2, restart_marker_blocks=7)),
        "small": ((90, 70), dict(subsampling=2)),
    }
    for name, ((width, height), options) in kinds.items():
        path = folder / f"{name}.jpg"
        if path.exists():
            continue
        pixels = bytearray()
        for y in range(height):
            for x in range(width):
                wave = math.sin(x * x / 900) * math.cos(y * (x + 40) / 2500)
                ring = math.hypot(x - width / 3, y - height / 2)
                pixels += bytes([
                    int(128 + 90 * wave),
                    int(128 + 100 * math.sin(ring / 9)),
                    int(40 + 170 * x / width) if ring > 60 else 230,
                ])
        image = Image.frombytes("RGB", (width, height), bytes(pixels))
        image = image.convert("L") if name == "grey" else image
        image.save(path, quality=88, **options)


if __name__ == "__main__":
    print("Pillow", Image.__version__, "libjpeg-turbo", features.version("libjpeg_turbo"))
    own, root = fixtures / "pillow", pathlib.Path(sys.argv[1])
    draw(own)
    images = [(f"self/{path.name}", path) for path in sorted(own.iterdir())]
    samples = sorted(path for path in (root / "imagenet").rglob("*") if path.is_file())
    images += [(str(path.relative_to(root)), path) for path in samples]
    lines = [f"{key} {sample(record(path), line).hex()}\n" for line, (key, path) in enumerate(images, 1)]
    (fixtures / "pillow.txt").write_text("".join(lines))
