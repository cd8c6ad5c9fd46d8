"""Trains torchvision's AlexNet for a few steps: ``python pytorch_train.py SHARDS``."""

import sys
import time

import torch
import torchvision

import shardmill

STEPS, BATCH = 4, 32

# Tensors without a copy, float32 [32, 3, 224, 224]: random crops, randomly flipped, with the paper's colour noise.
# With a GPU, device="cuda" instead of framework="torch" uploads the batches, one ahead.
loader = shardmill.Loader(
    sys.argv[1], split="train", batch_size=BATCH, augment="alexnet", normalize="imagenet", framework="torch"
)
print(loader)

torch.manual_seed(0)
model = torchvision.models.alexnet(num_classes=len(loader.datasets[0].classes))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

step, began = 0, time.perf_counter()
while step < STEPS:
    # After an iteration that is read to its end, the next iteration takes the next epoch.
    for images, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        print(f"epoch {loader.epoch}, step {step}: loss {loss.item():.3f}")
        if step == STEPS:
            break

print(f"{STEPS * BATCH / (time.perf_counter() - began):.0f} images/s")
print(loader.stats()["verdict"])

# The checkpoint includes the loader's position in the epoch. Another run resumes there, with the same crops and
# colours, even with another batch size and another number of threads.
checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "loader": loader.state_dict()}
resumed = shardmill.Loader(sys.argv[1], batch_size=16, normalize="imagenet", framework="torch")
resumed.load_state_dict(checkpoint["loader"])
print(f"a resumed run begins with {next(iter(resumed)).keys[0]} of epoch {resumed.epoch}")
