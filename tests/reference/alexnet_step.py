"""Values and gradients that PyTorch computes for the trainer's operations and network.

Writes `fixtures/operations.safetensors` and, for each variant, `fixtures/<variant>.safetensors`,
which `trainer/tests/it/numerics/pytorch.rs` reads. The network is the real one at a reduced width.
`fixtures/net145.safetensors` has what the weights and images of `alexnet` give in net 145's order of layers.

    python3 tests/reference/alexnet_step.py              (torch 2.9.1, safetensors 0.8)
    python3 tests/reference/alexnet_step.py --full DIR   (the full width, 1.7 GB, into DIR)

Besides one step's gradients there is the loss of ten steps of SGD by torch.optim. Images and activations are stored NHWC, kernels [outputs, height, width, inputs / groups], fc6's
columns in NHWC order: the trainer's layouts. PyTorch itself runs on its own.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent / "fixtures"

ROWS = 3
STEPS = 10


class Size(NamedTuple):
    input: int
    side: int  # of the last pool's output
    classes: int
    # Channels of conv1 to conv5 and of fc6 and fc7.
    widths: dict
    # At the full width, one at which PyTorch's own f32 gradients are within 2e-5 of its f64 ones. With 2013,
    # 2014 and 2015 they are 2e-3 to 9e-3 apart, since a pool's two best values, or a value and ReLU's 0, lie
    # within the rounding and a gradient goes another way: see `near_ties.py`.
    seed: int
    # Of the ten steps: small enough for a loss that falls smoothly from where the weights put it.
    lr: dict


# `ModelConfig { width: 0.02, .. }`.
SMALL = Size(
    64,
    1,
    5,
    {"alexnet": [8] * 5 + [80], "alexnet-owt": [8] * 5 + [80]},
    2012,
    {"alexnet": 1e-4, "alexnet-owt": 3e-6},
)
FULL = Size(
    224,
    6,
    1000,
    {
        "alexnet": [96, 256, 384, 384, 256, 4096],
        "alexnet-owt": [64, 192, 384, 256, 256, 4096],
    },
    2016,
    {"alexnet": 5e-7, "alexnet-owt": 2e-7},
)


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

    out |= cross_entropy(random, generator)

    # Two columns of 12 channels that see nothing of each other.
    image = (30 * random(1, 24, 3, 4)).requires_grad_()
    result = within_columns(image, alpha=1e-2)
    gradient = random(*result.shape)
    result.backward(gradient)
    return out | {
        "lrn_columns.image": nhwc(image),
        "lrn_columns.output": nhwc(result),
        "lrn_columns.gradient": nhwc(gradient),
        "lrn_columns.image_gradient": nhwc(image.grad),
    }


def within_columns(x, alpha):
    """Response normalisation of each half of the channels by itself."""
    halves = [F.local_response_norm(half, 5, alpha, beta=0.75, k=2.0) for half in x.chunk(2, 1)]
    return torch.cat(halves, 1)


def within_maps(x):
    """Net 145's normalisation over squares of 5x5 pixels of each map, cut off at the edge."""
    # The mean of 25 values, of which those beyond the edge are 0.
    squares = F.avg_pool2d(x * x, 5, 1, padding=2, count_include_pad=True)
    return x / (1 + 1e-3 * squares) ** 0.75


def cross_entropy(random, generator):
    logits = (3 * random(7, 11)).requires_grad_()
    labels = torch.randint(0, 11, (7,), generator=generator)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    ranked = logits.topk(5).indices == labels[:, None]
    return {
        "cross_entropy.logits": logits.detach(),
        "cross_entropy.labels": labels,
        "cross_entropy.loss": loss.detach().double().reshape(1),
        "cross_entropy.hits": torch.stack([ranked[:, 0].sum(), ranked.sum()]),
        "cross_entropy.logits_gradient": logits.grad,
    }


class Net(torch.nn.Module):
    """AlexNet as a paper reader would write it in PyTorch."""

    def __init__(self, size, variant, generator):
        super().__init__()
        self.paper = variant == "alexnet"
        # Set for the order of net 145, which has the paper's parameters.
        self.net145 = False
        widths = size.widths[variant]
        groups = [1, 2, 1, 2, 2] if self.paper else [1] * 5
        kernels = [11, 5, 3, 3, 3]
        inputs = [3, *widths[:4]]
        self.groups = groups
        shapes = {
            f"conv{i + 1}": (widths[i], inputs[i] // groups[i], kernels[i], kernels[i])
            for i in range(5)
        }
        features = widths[4] * size.side**2
        hidden = widths[5]
        shapes |= {"fc6": (hidden, features), "fc7": (hidden, hidden), "fc8": (size.classes, hidden)}
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
                # (size - 11) is no multiple of 4: three zeros complete the last window.
                x, padding = F.pad(x, (0, 3, 0, 3)), 0
            weight, bias = self.get(f"conv{i + 1}")
            x = F.conv2d(x, weight, bias, stride, padding, groups=self.groups[i])
            late = self.net145 and i in (0, 4)
            if not late:
                x = x.relu()
            if self.net145 and i < 2:
                x = within_columns(x, alpha=1e-4)
            elif self.paper and i < 2:
                x = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0)
            if self.net145 and i == 1:
                x = within_maps(x)
            if i in (0, 1, 4):
                x = F.max_pool2d(x, 3, 2)
            if late:
                x = x.relu()
        x = x.permute(0, 2, 3, 1).flatten(1)
        if not self.paper:
            x = x * masks[0]
        x = F.linear(x, *self.get("fc6")).relu()
        x = x * masks[0 if self.paper else 1]
        x = F.linear(x, *self.get("fc7")).relu()
        if self.paper:
            x = x * masks[1]
        return F.linear(x, *self.get("fc8"))


def stored(tensor):
    return nhwc(tensor) if tensor.dim() == 4 else tensor.detach().clone()


def step(size, variant, generator, net145=False):
    """Loss and gradients of one batch, without dropout and with given masks; ten steps' losses.

    For net 145 what the paper's network has too is left out: the weights, the batch, and the masks.
    """
    net = Net(size, variant, generator)
    net.net145 = net145
    images = 10 * torch.randn(ROWS, 3, size.input, size.input, generator=generator)
    labels = torch.randperm(size.classes, generator=generator)[:ROWS]
    hidden, features = size.widths[variant][5], size.widths[variant][4] * size.side**2
    lengths = [hidden, hidden] if net.paper else [features, hidden]
    drawn = [2.0 * torch.randint(0, 2, (ROWS, n), generator=generator).float() for n in lengths]
    # Whole numbers keep the fixture small: two bytes for each pixel value.
    images = images.round().clamp(-100, 100)
    out = {"images": nhwc(images).to(torch.int16), "labels": labels}
    for i, mask in enumerate(drawn):
        out[f"mask{i}"] = mask.to(torch.uint8)
    for name in net.names:
        for part, tensor in zip(("weight", "bias"), net.get(name)):
            out[f"{name}.{part}"] = stored(tensor)
    whole = [torch.ones(1)] * 2
    for case, masks in {"plain": whole, "masked": drawn}.items():
        net.zero_grad()
        logits = net(images, masks)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        out[f"{case}.logits"] = logits.detach()
        out[f"{case}.loss"] = loss.detach().double().reshape(1)
        for name in net.names:
            for part, tensor in zip(("weight", "bias"), net.get(name)):
                out[f"{case}.{name}.{part}"] = stored(tensor.grad)
    out |= curve(size.lr[variant], net, images, labels, whole)
    if net145:
        out = {name: tensor for name, tensor in out.items() if name.startswith(("plain.", "curve."))}
    return out


def curve(lr, net, images, labels, masks):
    """Losses of ten steps of SGD; at each, the labels move on by one image."""
    weights, biases = zip(*(net.get(name) for name in net.names))
    groups = [
        {"params": weights, "weight_decay": 5e-4},
        {"params": biases, "weight_decay": 0.0, "lr": 2 * lr},
    ]
    sgd = torch.optim.SGD(groups, lr=lr, momentum=0.9)
    losses = []
    for number in range(STEPS):
        sgd.zero_grad()
        loss = F.cross_entropy(net(images, masks), labels.roll(-number))
        loss.backward()
        sgd.step()
        losses.append(loss.detach().double())
    return {"curve.losses": torch.stack(losses), "curve.lr": torch.tensor([lr]).double()}


def main():
    size, out = SMALL, HERE
    if sys.argv[1:2] == ["--full"]:
        size, out = FULL, Path(sys.argv[2])
    out.mkdir(exist_ok=True, parents=True)
    torch.set_num_threads(1)
    save_file(operations(torch.Generator().manual_seed(2012)), out / "operations.safetensors")
    for variant in size.widths:
        tensors = step(size, variant, torch.Generator().manual_seed(size.seed))
        save_file(tensors, out / f"{variant}.safetensors")
        print(variant, tensors["curve.losses"].tolist())
    net145 = step(size, "alexnet", torch.Generator().manual_seed(size.seed), net145=True)
    save_file(net145, out / "net145.safetensors")
    print("net145", net145["curve.losses"].tolist())
    for path in sorted(out.glob("*.safetensors")):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
