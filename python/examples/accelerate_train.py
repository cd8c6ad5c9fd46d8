"""Trains with Accelerate: ``accelerate launch accelerate_train.py SHARDS``, or plain ``python`` for one process.

Accelerate shards and moves only torch's own DataLoader, and leaves a shardmill.Loader alone. So the loader detects
its rank itself, which Accelerate has set up by then, and takes the device as an argument.
"""

import sys

import accelerate
import torch

import shardmill

accelerator = accelerate.Accelerator()  # first: it starts torch.distributed

loader = shardmill.Loader(
    sys.argv[1], batch_size=32, augment="random_resized_crop", normalize="imagenet", device=accelerator.device
)
model = torch.nn.Sequential(
    torch.nn.AdaptiveAvgPool2d(14), torch.nn.Flatten(), torch.nn.Linear(3 * 14 * 14, len(loader.datasets[0].classes))
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
# The loader may also go through prepare(), which returns it unchanged.
model, optimizer = accelerator.prepare(model, optimizer)
# save_state() and load_state() then include the loader's position in the epoch.
accelerator.register_for_checkpointing(loader)

for epoch in range(3):
    loader.set_epoch(epoch)
    losses = []
    for images, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    mean = accelerator.reduce(torch.stack(losses).mean(), reduction="mean")
    accelerator.print(f"epoch {epoch}: {len(losses)} steps on {images.device}, mean loss {mean.item():.3f}")
accelerator.end_training()
