"""Makes fixtures/torchvision.txt: what torchvision makes of bytes by resized_crop and by the steps of ColorJitter.

Usage: python torchvision_augment.py

The picture is 40 high and 48 wide, channel c at (y, x) being (5 y + 3 x + 71 c + x y // 7) modulo 256, so that it
has slopes and edges. Lines:
  resize TOP LEFT HEIGHT WIDTH SIZE HEX   resized_crop of a Pillow image to SIZE x SIZE, bilinear, antialiased
  tensor TOP LEFT HEIGHT WIDTH SIZE HEX   the same of a tensor of bytes, by transforms.v2
  jitter STEP:FACTOR,... HEX              the steps in this order on the window 16 x 16 at (12, 20)
HEX is the result, rows of R, G, B. The steps are those for tensors. Both ways to resize round to bytes between the two
directions, with weights of 22 bits for Pillow images and of 16 for tensors. The first version of the transforms computes
tensors in floats, does not round between, and differs from both by one level in one byte of six.
"""
import pathlib

import torch, torchvision
from torchvision.transforms import functional as F
from torchvision.transforms.v2 import functional as F2

y, x, c = torch.meshgrid(torch.arange(40), torch.arange(48), torch.arange(3), indexing="ij")
picture = ((5 * y + 3 * x + 71 * c + x * y // 7) % 256).to(torch.uint8).permute(2, 0, 1)
steps = {
    "brightness": F.adjust_brightness,
    "contrast": F.adjust_contrast,
    "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
}


def hexadecimal(image):
    return bytes(image.permute(1, 2, 0).flatten().tolist()).hex()


def lines():
    for top, left, height, width, size in [
        (0, 0, 40, 48, 16),
        (3, 5, 21, 30, 14),
        (10, 8, 9, 7, 16),
        (17, 30, 16, 16, 16),
        (1, 2, 38, 11, 13),
        (39, 47, 1, 1, 5),
        (2, 3, 30, 33, 41),
        (0, 1, 36, 40, 33),
    ]:
        size_pair = [size, size]
        image = F.resized_crop(F.to_pil_image(picture), top, left, height, width, size_pair)
        out = F.pil_to_tensor(image)
        yield f"resize {top} {left} {height} {width} {size} {hexadecimal(out)}"
        out = F2.resized_crop(picture, top, left, height, width, size_pair, antialias=True)
        yield f"tensor {top} {left} {height} {width} {size} {hexadecimal(out)}"
    window = F.crop(picture, 12, 20, 16, 16)
    for plan in [
        "brightness:0", "brightness:0.6", "brightness:1.4",
        "contrast:0", "contrast:0.6", "contrast:1.4",
        "saturation:0", "saturation:0.6", "saturation:1.4",
        "hue:-0.5", "hue:-0.1", "hue:0.25", "hue:0.5",
        "brightness:1.2,contrast:0.8,saturation:1.3,hue:0.05",
        "hue:-0.08,saturation:0.7,contrast:1.25,brightness:0.9",
    ]:
        out = window
        for step in plan.split(","):
            name, factor = step.split(":")
            out = steps[name](out, float(factor))
        yield f"jitter {plan} {hexadecimal(out)}"


out = pathlib.Path(__file__).parent / "fixtures" / "torchvision.txt"
head = f"# torchvision {torchvision.__version__.split('+')[0]}, torch {torch.__version__.split('+')[0]}"
out.write_text("\n".join([head, *lines()]) + "\n")
