"""Values and gradients that PyTorch computes for the trainer's operations and network.

Writes `fixtures/operations.safetensors` and, for each variant, `fixtures/<variant>.safetensors`,
which `trainer/tests/numerics/pytorch.rs` reads. The network is the real one at a reduced width.

    python3 tests/reference/alexnet_step.py        (torch 2.9.1, safetensors 0.8)

Images and activations are stored NHWC, kernels [outputs, height, width, inputs / groups], fc6's
columns in NHWC order: the trainer's layouts. PyTorch itself runs on its own.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent / "fixtures"

INPUT_SIZE = 64
CLASSES = 5
ROWS = 3
# Channels of conv1 to conv5 and of fc6 and fc7: those of `ModelConfig { width: 0.02, .. }`.
WIDTHS = {"alexnet": [8, 8, 8, 8, 8, 80], "alexnet-owt": [8, 8, 8, 8, 8, 80]}


def nhwc(tensor):
    return tensor.detach().permute(0, 2, 3, 1).contiguous()


def operations(generator):
    """One call of every operation, with the gradients of sum(output * gradient)."""

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    out = {}
    image = random(1, 4, 9, 8).requires_grad_()
    weight = random(6, 2, 5, 5).requires_grad_()
    bias = random(6).requires_grad_()
    # Zeros on the right and below only, as in conv1.
    result = F.conv2d(F.pad(image, (0, 3, 0, 3)), weight, bias, stride=2, groups=2).relu()
    gradient = random(*result.shape)
    result.backward(gradient)
    out |= {
        "conv2d.image": nhwc(image),
        "conv2d.weight": nhwc(weight),
        "conv2d.bias": bias.detach(),
        "conv2d.output": nhwc(result),
        "conv2d.gradient": nhwc(gradient),
        "conv2d.image_gradient": nhwc(image.grad),
        "conv2d.weight_gradient": nhwc(weight.grad),
        "conv2d.bias_gradient": bias.grad,
    }

    # Few different values, so that windows hold equal ones.
    image = torch.randint(0, 4, (1, 19, 9, 7), generator=generator).float().requires_grad_()
    result = F.max_pool2d(image, 3, 2)
    gradient = random(*result.shape)
    result.backward(gradient)
    out |= {
        "max_pool2d.image": nhwc(image),
        "max_pool2d.output": nhwc(result),
        "max_pool2d.gradient": nhwc(gradient),
        "max_pool2d.image_gradient": nhwc(image.grad),
    }

    image = (30 * random(1, 24, 3, 4)).requires_grad_()
    result = F.local_response_norm(image, 5, alpha=1e-2, beta=0.75, k=2.0)
    gradient = random(*result.shape)
    result.backward(gradient)
    out |= {
        "lrn.image": nhwc(image),
        "lrn.output": nhwc(result),
        "lrn.gradient": nhwc(gradient),
        "lrn.image_gradient": nhwc(image.grad),
    }

    logits = (3 * random(7, 11)).requires_grad_()
    labels = torch.randint(0, 11, (7,), generator=generator)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    ranked = logits.topk(5).indices == labels[:, None]
    out |= {
        "cross_entropy.logits": logits.detach(),
        "cross_entropy.labels": labels,
        "cross_entropy.loss": loss.detach().double().reshape(1),
        "cross_entropy.hits": torch.stack([ranked[:, 0].sum(), ranked.sum()]),
        "cross_entropy.logits_gradient": logits.grad,
    }
    return out


class Net(torch.nn.Module):
    """AlexNet as a paper reader would write it in PyTorch."""

    def __init__(self, variant, generator):
        super().__init__()
        self.paper = variant == "alexnet"
        widths = WIDTHS[variant]
        groups = [1, 2, 1, 2, 2] if self.paper else [1] * 5
        kernels = [11, 5, 3, 3, 3]
        inputs = [3, *widths[:4]]
        self.groups = groups
        shapes = {
            f"conv{i + 1}": (widths[i], inputs[i] // groups[i], kernels[i], kernels[i])
            for i in range(5)
        }
        features = widths[4]  # one pixel is left of a 64x64 image
        hidden = widths[5]
        shapes |= {"fc6": (hidden, features), "fc7": (hidden, hidden), "fc8": (CLASSES, hidden)}
        self.names = list(shapes)
        for name, shape in shapes.items():
            fan_in = torch.tensor(shape[1:]).prod().item()
            weight = torch.randn(*shape, generator=generator) * (2 / fan_in) ** 0.5
            bias = 0.1 * torch.randn(shape[0], generator=generator)
            self.register_parameter(f"{name}_weight", torch.nn.Parameter(weight))
            self.register_parameter(f"{name}_bias", torch.nn.Parameter(bias))

    def get(self, name):
        return getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")

    def forward(self, x, masks):
        for i, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
            if i == 0 and self.paper:
                # (64 - 11) is no multiple of 4: three zeros complete the last window.
                x, padding = F.pad(x, (0, 3, 0, 3)), 0
            weight, bias = self.get(f"conv{i + 1}")
            x = F.conv2d(x, weight, bias, stride, padding, groups=self.groups[i]).relu()
            if self.paper and i < 2:
                x = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0)
            if i in (0, 1, 4):
                x = F.max_pool2d(x, 3, 2)
        x = x.flatten(1)
        if not self.paper:
            x = x * masks[0]
        x = F.linear(x, *self.get("fc6")).relu()
        x = x * masks[0 if self.paper else 1]
        x = F.linear(x, *self.get("fc7")).relu()
        if self.paper:
            x = x * masks[1]
        return F.linear(x, *self.get("fc8"))


def step(variant, generator):
    """Loss and gradients of one batch, without dropout and with given masks."""
    net = Net(variant, generator)
    images = 10 * torch.randn(ROWS, 3, INPUT_SIZE, INPUT_SIZE, generator=generator)
    labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
    hidden, features = WIDTHS[variant][5], WIDTHS[variant][4]
    lengths = [hidden, hidden] if net.paper else [features, hidden]
    drawn = [2.0 * torch.randint(0, 2, (ROWS, n), generator=generator).float() for n in lengths]
    # Whole numbers keep the fixture small: two bytes for each pixel value.
    images = images.round().clamp(-100, 100)
    out = {"images": nhwc(images).to(torch.int16), "labels": labels}
    for i, mask in enumerate(drawn):
        out[f"mask{i}"] = mask.to(torch.uint8)
    for name in net.names:
        weight, bias = net.get(name)
        out[f"{name}.weight"] = nhwc(weight) if weight.dim() == 4 else weight.detach()
        out[f"{name}.bias"] = bias.detach()
    for case, masks in {"plain": [torch.ones(1)] * 2, "masked": drawn}.items():
        net.zero_grad()
        logits = net(images, masks)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        out[f"{case}.logits"] = logits.detach()
        out[f"{case}.loss"] = loss.detach().double().reshape(1)
        for name in net.names:
            weight, bias = net.get(name)
            gradient = weight.grad.clone()
            out[f"{case}.{name}.weight"] = nhwc(gradient) if gradient.dim() == 4 else gradient
            out[f"{case}.{name}.bias"] = bias.grad.clone()
    return out


def main():
    HERE.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(2012)
    save_file(operations(generator), HERE / "operations.safetensors")
    for variant in WIDTHS:
        save_file(step(variant, generator), HERE / f"{variant}.safetensors")
    for path in sorted(HERE.glob("*.safetensors")):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
