"""Weights between torchvision's `alexnet` and the trainer, both ways.

    python3 tests/reference/torchvision_exchange.py              (torchvision 0.24.1)
        writes fixtures/torchvision.safetensors, a reduced width, for a cargo test
    python3 tests/reference/torchvision_exchange.py make DIR     (the full width)
        writes DIR/state_dict.safetensors and DIR/logits.safetensors
    python3 tests/reference/torchvision_exchange.py check DIR
        loads DIR/exported.safetensors, and compares DIR/exported_logits.safetensors
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import AlexNet


def reduced():
    """torchvision's modules with 8 channels everywhere, 80 hidden units and 5 classes."""
    net = AlexNet(num_classes=5)
    inputs = 3
    for i, module in enumerate(net.features):
        if isinstance(module, nn.Conv2d):
            net.features[i] = nn.Conv2d(
                inputs, 8, module.kernel_size, module.stride, module.padding
            )
            inputs = 8
    # Two by two pixels are left of 95x95, so that the order of fc6's columns matters.
    net.avgpool = nn.Identity()
    net.classifier[1] = nn.Linear(8 * 2 * 2, 80)
    net.classifier[4] = nn.Linear(80, 80)
    net.classifier[6] = nn.Linear(80, 5)
    return net


def logits(net, images):
    """Of NHWC images."""
    with torch.no_grad():
        return net.eval()(images.permute(0, 3, 1, 2))


def write(net, size, path, extra):
    images = torch.randn(3, size, size, 3)
    save_file(net.state_dict(), path)
    save_file({"images": images, "logits": logits(net, images)}, extra)
    print(path.name, path.stat().st_size)


def check(folder):
    net = AlexNet()
    net.load_state_dict(load_file(folder / "exported.safetensors"))
    ours = load_file(folder / "exported_logits.safetensors")
    theirs = logits(net, load_file(folder / "logits.safetensors")["images"])
    difference = (theirs - ours["logits"]).norm() / theirs.norm()
    print(f"torchvision's logits of the export differ by {difference:.1e} of their norm")
    assert difference < 1e-4


def main():
    torch.manual_seed(2012)
    match sys.argv[1:]:
        case []:
            folder = Path(__file__).parent / "fixtures"
            path = folder / "torchvision.safetensors"
            write(reduced(), 95, path, folder / "torchvision-logits.safetensors")
        case ["make", folder]:
            folder = Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "state_dict.safetensors"
            write(AlexNet(), 224, path, folder / "logits.safetensors")
        case ["check", folder]:
            check(Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
