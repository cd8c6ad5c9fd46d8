"""The speed of PyTorch's AlexNet, to compare `train bench` and `train gpu-check` with.

Prints one line of JSON: images per second of a training step (forward, backward and update by SGD with momentum)
and of a forward pass without dropout, each from the median of steps that are waited for. The images are random and
already on the device. `--network paper` is the network of 2012: two groups in conv2, conv4 and conv5, response
normalisation, conv1's zeros on the right and below only; `torchvision` is the single column without normalisation.
In bf16, training runs under autocast with f32 weights, and inference has weights of bf16.

    python3 tests/reference/torch_speed.py --device cuda --batch-size 512 --precision bf16 --channels-last
    python3 tests/reference/torch_speed.py --count      (counts the parameters; needs no torch)

`tools/gpu-check.sh --torch-script` runs it.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from typing import NamedTuple

CLASSES = 1000
SIDE = 224
HIDDEN = 4096
# Side of the last pool's output.
LAST_SIDE = 6


class Conv(NamedTuple):
    outputs: int
    kernel: int
    stride: int
    padding: int
    groups: int


class Network(NamedTuple):
    convs: list
    # Whether it has response normalisation, conv1's zeros on one side, and dropout behind fc6 and fc7 and not in
    # front of them.
    paper: bool
    parameters: int


NETWORKS = {
    "paper": Network(
        [
            Conv(96, 11, 4, 0, 1),
            Conv(256, 5, 1, 2, 2),
            Conv(384, 3, 1, 1, 1),
            Conv(384, 3, 1, 1, 2),
            Conv(256, 3, 1, 1, 2),
        ],
        True,
        60_965_224,
    ),
    "torchvision": Network(
        [
            Conv(64, 11, 4, 2, 1),
            Conv(192, 5, 1, 2, 1),
            Conv(384, 3, 1, 1, 1),
            Conv(256, 3, 1, 1, 1),
            Conv(256, 3, 1, 1, 1),
        ],
        False,
        61_100_840,
    ),
}
# Layers with a pool behind them.
POOLED = (0, 1, 4)


def count(network):
    """Parameters of a network, and the side of its last pool's output."""
    total, inputs = 0, 3
    side = SIDE + 3 if network.paper else SIDE
    for i, conv in enumerate(network.convs):
        total += conv.outputs * (inputs // conv.groups * conv.kernel**2 + 1)
        side = (side + 2 * conv.padding - conv.kernel) // conv.stride + 1
        if i in POOLED:
            side = (side - 3) // 2 + 1
        inputs = conv.outputs
    inputs *= side**2
    for outputs in (HIDDEN, HIDDEN, CLASSES):
        total += outputs * (inputs + 1)
        inputs = outputs
    return total, side


def check_counts():
    for name, network in NETWORKS.items():
        total, side = count(network)
        assert total == network.parameters, f"{name}: {total} parameters instead of {network.parameters}"
        assert side == LAST_SIDE, f"{name}: the last pool gives {side}x{side}"
        print(f"{name}: {total:,} parameters")


def build(network):
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            convs, inputs = [], 3
            for conv in network.convs:
                outputs, kernel, stride, padding, groups = conv
                convs.append(nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups))
                inputs = outputs
            self.convs = nn.ModuleList(convs)
            self.fc6 = nn.Linear(inputs * LAST_SIDE**2, HIDDEN)
            self.fc7 = nn.Linear(HIDDEN, HIDDEN)
            self.fc8 = nn.Linear(HIDDEN, CLASSES)

        def forward(self, x):
            if network.paper:
                # (224 - 11) is no multiple of 4: three zeros complete the last window.
                x = F.pad(x, (0, 3, 0, 3))
            for i, conv in enumerate(self.convs):
                x = F.relu(conv(x), inplace=True)
                if network.paper and i < 2:
                    x = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0)
                if i in POOLED:
                    x = F.max_pool2d(x, 3, 2)
            x = x.flatten(1)
            if network.paper:
                x = F.dropout(F.relu(self.fc6(x), inplace=True), 0.5, self.training)
                x = F.dropout(F.relu(self.fc7(x), inplace=True), 0.5, self.training)
            else:
                x = F.relu(self.fc6(F.dropout(x, 0.5, self.training)), inplace=True)
                x = F.relu(self.fc7(F.dropout(x, 0.5, self.training)), inplace=True)
            return self.fc8(x)

    net = Net()
    parameters = sum(p.numel() for p in net.parameters())
    assert parameters == network.parameters, f"{parameters} parameters instead of {network.parameters}"
    # Weights with which the values neither vanish nor overflow.
    generator = torch.Generator().manual_seed(2012)
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() > 1:
                p.normal_(0, (2 / p[0].numel()) ** 0.5, generator=generator)
            else:
                p.zero_()
    return net


def timed(step, steps, wait):
    """Seconds of each of so many steps, each waited for."""
    seconds = []
    for _ in range(steps):
        wait()
        start = time.perf_counter()
        step()
        wait()
        seconds.append(time.perf_counter() - start)
    return seconds


def choose_optimizer(net, wait):
    """SGD in the form whose update is the fastest here, and that form's name."""
    import torch

    # A rate of 0 does all of the work and leaves the weights where they are.
    settings = {"lr": 0.0, "momentum": 0.9, "weight_decay": 5e-4}
    fastest = None
    for name, form in {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}.items():
        try:
            optimizer = torch.optim.SGD(net.parameters(), **settings, **form)
            optimizer.step()
            seconds = statistics.median(timed(optimizer.step, 5, wait))
        except (RuntimeError, TypeError, ValueError):
            # An older PyTorch, or a device for which this form does not exist.
            continue
        if fastest is None or seconds < fastest[0]:
            fastest = (seconds, name, optimizer)
    # The others' velocities are freed with them.
    return fastest[2], fastest[1]


def measure(options):
    import torch
    import torch.nn.functional as F

    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    on_gpu = device.type == "cuda"
    if options.precision == "tf32" and not on_gpu:
        sys.exit("tf32 is a precision of NVIDIA GPUs: on the CPU give --precision f32 or bf16")
    if on_gpu and not torch.cuda.is_available():
        sys.exit("PyTorch sees no NVIDIA GPU")
    if on_gpu:
        torch.cuda.set_device(device)
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = options.precision != "f32"
    torch.set_float32_matmul_precision("highest" if options.precision == "f32" else "high")
    half = options.precision == "bf16"
    layout = torch.channels_last if options.channels_last else torch.contiguous_format

    network = NETWORKS[options.network]
    net = build(network).to(device, memory_format=layout).train()
    generator = torch.Generator(device).manual_seed(1)
    shape = (options.batch_size, 3, SIDE, SIDE)
    # Pixels of mean 0 on the 0-255 scale.
    images = torch.rand(shape, generator=generator, device=device) * 255 - 127.5
    images = images.contiguous(memory_format=layout)
    labels = torch.arange(options.batch_size, device=device) % CLASSES

    def gradients(model):
        net.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = F.cross_entropy(model(images), labels)
        loss.backward()

    gradients(net)
    optimizer, optimizer_name = choose_optimizer(net, wait)

    def run(model):
        """Seconds of training steps and of forward passes."""

        def train():
            gradients(model)
            optimizer.step()

        timed(train, options.warm_up, wait)
        training = timed(train, options.steps, wait)
        net.zero_grad(set_to_none=True)
        # Weights of bf16, since autocast would convert all of them in every pass.
        still = copy.deepcopy(net).eval()
        if half:
            still = still.to(torch.bfloat16)
        rows = images.to(torch.bfloat16) if half else images
        forward = still if model is net else torch.compile(still)
        # On the CPU the normalisation's pool has no bf16.
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half and not on_gpu):
            timed(lambda: forward(rows), options.warm_up, wait)
            inference = timed(lambda: forward(rows), options.steps, wait)
        return training, inference

    compiled, compile_error, seconds = options.compile, None, None
    if options.compile:
        try:
            seconds = run(torch.compile(net))
        except Exception as error:  # noqa: BLE001, whatever a compiler raises
            compiled = False
            compile_error = f"{type(error).__name__}: {error}".strip().splitlines()[0][:500]
    if seconds is None:
        seconds = run(net)
    training, inference = (statistics.median(part) for part in seconds)
    result = {
        "precision": options.precision,
        "batch_size": options.batch_size,
        "network": options.network,
        "channels_last": options.channels_last,
        "compiled": compiled,
        "training_images_per_second": options.batch_size / training,
        "inference_images_per_second": options.batch_size / inference,
        "training_seconds": {"median": training, "min": min(seconds[0]), "max": max(seconds[0])},
        "inference_seconds": {"median": inference, "min": min(seconds[1]), "max": max(seconds[1])},
        "steps": options.steps,
        "warm_up": options.warm_up,
        "optimizer": f"SGD, {optimizer_name}",
        "parameters": network.parameters,
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
    }
    if compile_error is not None:
        result["compile_error"] = compile_error
    if on_gpu:
        result["peak_memory_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
    else:
        result["threads"] = torch.get_num_threads()
    return result


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def main():
    parser = argparse.ArgumentParser(description="The speed of PyTorch's AlexNet, as a line of JSON.")
    parser.add_argument("--device", help="cuda, cuda:N or cpu; by default a GPU where there is one")
    parser.add_argument("--batch-size", type=positive, default=128)
    parser.add_argument("--steps", type=positive, default=30, help="timed steps of each kind")
    parser.add_argument("--warm-up", type=positive, default=5, help="steps of each kind before the clock starts")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile; without it if that fails")
    parser.add_argument("--network", choices=list(NETWORKS), default="paper")
    parser.add_argument("--count", action="store_true", help="count the parameters of both networks, without torch")
    options = parser.parse_args()
    if options.count:
        check_counts()
    else:
        print(json.dumps(measure(options)), flush=True)


if __name__ == "__main__":
    main()
