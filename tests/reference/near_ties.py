"""How far apart PyTorch's own gradients of one step are, by kind of arithmetic, for some seeds of
`alexnet_step.py` at the full width: f32 beside f64, and f32 with another order of sums beside f64.

Where a pool's two best values, or a value and ReLU's 0, lie within the rounding, a gradient goes another
way, and no implementation in f32 can be within 1e-4 of another by more than luck.

    python3 tests/reference/near_ties.py [SEED ...]     (torch 2.9.1; half a minute and 3 GB a seed)
"""

import sys

import torch
import torch.nn.functional as F

from alexnet_step import FULL, ROWS, Net


def gradient(net, images, labels):
    net.zero_grad()
    F.cross_entropy(net(images, [torch.ones(1, dtype=images.dtype)] * 2), labels).backward()
    return {name: net.get(name)[0].grad.detach().double().clone() for name in net.names}


def distance(found, exact):
    parts = {name: ((found[name] - exact[name]).norm() / exact[name].norm()).item() for name in exact}
    worst = max(parts, key=parts.get)
    return f"{parts[worst]:.1e} ({worst})"


def main():
    torch.set_num_threads(1)
    for seed in [int(text) for text in sys.argv[1:]] or range(2012, 2020):
        for variant in FULL.widths:
            generator = torch.Generator().manual_seed(seed)
            net = Net(FULL, variant, generator)
            images = 10 * torch.randn(ROWS, 3, FULL.input, FULL.input, generator=generator)
            labels = torch.randperm(FULL.classes, generator=generator)[:ROWS]
            images = images.round().clamp(-100, 100)
            usual = gradient(net, images, labels)
            with torch.backends.mkldnn.flags(enabled=False):
                other = gradient(net, images, labels)
            exact = gradient(net.double(), images.double(), labels)
            print(seed, variant, "f32", distance(usual, exact), "f32, other sums", distance(other, exact))


if __name__ == "__main__":
    main()
