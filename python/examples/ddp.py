"""Trains torchvision's AlexNet on several processes: ``torchrun --nproc-per-node 2 ddp.py SHARDS``.

Each process gets its part of every batch; together the parts make up the epoch. With GPUs, use the backend ``nccl``,
and ``device=f"cuda:{os.environ['LOCAL_RANK']}"`` to get the batches on this process's GPU.
"""

import sys

import torch
import torch.distributed as dist
import torchvision
from torch.nn.parallel import DistributedDataParallel

import shardmill

dist.init_process_group("gloo")
torch.set_num_threads(1)

# The loader detects its rank and prints it. batch_size counts the samples of one process.
loader = shardmill.Loader(sys.argv[1], batch_size=16, normalize="imagenet", framework="torch")

torch.manual_seed(0)
model = DistributedDataParallel(torchvision.models.alexnet(num_classes=len(loader.datasets[0].classes)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

for step, (images, labels) in zip(range(4), loader, strict=False):
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if dist.get_rank() == 0:
        print(f"step {step + 1}: loss {loss.item():.3f}")

# Every process takes the same number of steps. The last batch is padded; its first batch.valid samples are real.
mine = [key for batch in loader for key in batch.keys[: batch.valid]]
parts: list = [None] * dist.get_world_size()
dist.all_gather_object(parts, mine)
if dist.get_rank() == 0:
    together = set().union(*parts)
    assert len(together) == sum(map(len, parts)) == loader.samples
    print(f"{' + '.join(str(len(part)) for part in parts)} samples, all different: an epoch of {loader.samples}")
dist.destroy_process_group()
