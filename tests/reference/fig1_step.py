"""Values and gradients that PyTorch computes for the network of the paper's Fig. 1 and its pools.

Writes `fixtures/fig1.safetensors`, which `trainer/tests/it/numerics/pytorch.rs` reads. The network is the
real one at a quarter of its width.

    python3 tests/reference/fig1_step.py              (torch 2.15.0, safetensors 0.8)

cuda-convnet counts a pool's windows as PyTorch does with `ceil_mode`, and an average pool divides by the
pixels that are inside, which is `count_include_pad=False`. Layouts are those of `alexnet_step.py`: images
and activations NHWC, kernels [outputs, height, width, inputs], fc4's columns in NHWC order.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FILE = Path(__file__).parent / "fixtures" / "fig1.safetensors"

ROWS = 3
CLASSES = 5
SIDE = 32
# `ModelConfig { width: 0.25, .. }` of 32, 32 and 64 kernels.
WIDTHS = [8, 8, 16]
# Larger than the authors', so that a few steps change the loss.
DEVIATIONS = [0.003, 0.08, 0.08, 0.08]
STEPS = 10
LR = 5e-4


def nhwc(tensor):
    return tensor.detach().permute(0, 2, 3, 1).contiguous()


def max_pool(image):
    return F.max_pool2d(image, 3, 2, ceil_mode=True)


def average_pool(image):
    return F.avg_pool2d(image, 3, 2, ceil_mode=True, count_include_pad=False)


def pools(generator):
    """Both pools of one image, with the gradients of sum(output * gradient)."""
    out = {}
    # Few different values, so that windows hold equal ones.
    values = torch.randint(0, 4, (1, 19, 8, 6), generator=generator).float()
    for name, pool in [("max", max_pool), ("average", average_pool)]:
        image = values.clone().requires_grad_()
        result = pool(image)
        gradient = torch.randn(*result.shape, generator=generator)
        result.backward(gradient)
        out |= {
            f"pool.{name}.output": nhwc(result),
            f"pool.{name}.gradient": nhwc(gradient),
            f"pool.{name}.image_gradient": nhwc(image.grad),
        }
    return out | {"pool.image": nhwc(values)}


def initial(generator):
    """Weights and biases by the trainer's names, in PyTorch's layouts."""
    parameters, inputs = {}, 3
    shapes = {}
    for number, outputs in enumerate(WIDTHS, 1):
        shapes[f"conv{number}"] = (outputs, inputs, 5, 5)
        inputs = outputs
    shapes["fc4"] = (CLASSES, inputs * 4 * 4)
    for (name, shape), std in zip(shapes.items(), DEVIATIONS, strict=True):
        parameters[f"{name}.weight"] = std * torch.randn(*shape, generator=generator)
        parameters[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    return parameters


def to_trainer(name, tensor):
    """A parameter, or its gradient, in the trainer's layout."""
    tensor = tensor.detach()
    if tensor.dim() == 4:
        return nhwc(tensor)
    if name == "fc4.weight":
        return nhwc(tensor.reshape(CLASSES, WIDTHS[-1], 4, 4)).reshape(CLASSES, -1)
    return tensor.clone()


def logits(images, p, activation):
    x = activation(max_pool(F.conv2d(images, p["conv1.weight"], p["conv1.bias"], padding=2)))
    for name in ["conv2", "conv3"]:
        x = F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=2)
        x = average_pool(activation(x))
    return F.linear(x.flatten(1), p["fc4.weight"], p["fc4.bias"])


def steps(images, labels, start, activation, name):
    """One batch's logits, loss and gradients, and the losses of ten steps of SGD."""
    parameters = {key: value.clone().requires_grad_() for key, value in start.items()}
    # Biases at twice the rate; no weight decay.
    groups = [
        {"params": [p], "lr": LR * (2 if key.endswith("bias") else 1)}
        for key, p in parameters.items()
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    out, losses = {}, []
    for number in range(STEPS):
        optimizer.zero_grad()
        result = logits(images, parameters, activation)
        loss = F.cross_entropy(result, labels.roll(-number))
        loss.backward()
        losses.append(loss.item())
        if number == 0:
            out |= {f"{name}.logits": result.detach(), f"{name}.loss": loss.detach().double()[None]}
            gradients = parameters.items()
            out |= {f"{name}.{key}": to_trainer(key, p.grad) for key, p in gradients}
        optimizer.step()
    return out | {f"{name}.losses": torch.tensor(losses, dtype=torch.float64)}


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(2012)
    out = pools(generator)
    images = torch.randint(-100, 101, (ROWS, 3, SIDE, SIDE), generator=generator).float()
    labels = torch.randperm(CLASSES, generator=generator)[:ROWS]
    start = initial(generator)
    out |= {"images": nhwc(images).to(torch.int16), "labels": labels}
    out |= {key: to_trainer(key, value) for key, value in start.items()}
    out["lr"] = torch.tensor([LR], dtype=torch.float64)
    for name, activation in [("relu", torch.relu), ("tanh", torch.tanh)]:
        out |= steps(images, labels, start, activation, name)
        print(name, out[f"{name}.losses"].tolist())
    save_file(out, FILE)
    print(FILE.name, FILE.stat().st_size)


if __name__ == "__main__":
    main()
