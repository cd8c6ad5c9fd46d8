"""Trains on many machines from an object store; a stopped run goes on with any number of processes.

On each of two machines with 8 GPUs: ``torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint
FIRST_MACHINE:29500 ddp_resume.py s3://bucket/shards --checkpoint /shared/run.pt --cache-dir /fast-disk/cache``.
"""

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist
import torchvision
from torch.nn.parallel import DistributedDataParallel

import shardmill

parser = argparse.ArgumentParser(description="One epoch of AlexNet.")
parser.add_argument("shards", help="folder or address")
parser.add_argument("--checkpoint", type=Path, default=Path("run.pt"), help="a file that every process can read")
parser.add_argument("--cache-dir", help="folder of this machine's cache, which all of its processes share")
parser.add_argument("--global-batch", type=int, default=32, help="samples of all processes together")
parser.add_argument("--save-every", type=int, default=100, metavar="STEPS")
parser.add_argument("--stop-after", type=int, metavar="STEPS", help="end before the epoch does")
args = parser.parse_args()

cuda = torch.cuda.is_available()
dist.init_process_group("nccl" if cuda else "gloo")
rank, processes = dist.get_rank(), dist.get_world_size()
device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")

# The processes of a machine share one cache, each of whose shards is fetched once. The loader detects its rank, and
# batch_size counts the samples of one process: with a global batch that stays, a run goes on as if nothing happened.
loader = shardmill.Loader(
    args.shards, batch_size=args.global_batch // processes, normalize="imagenet", order="shards:8", seed=1,
    cache_dir=args.cache_dir, device=str(device),
)  # fmt: skip
torch.manual_seed(0)
model = torchvision.models.alexnet(num_classes=len(loader.datasets[0].classes)).to(device)
model = DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
before, mine = [], []  # Keys of the epoch: of earlier runs, and of this process; they show that nothing is lost.
if args.checkpoint.exists():
    saved = torch.load(args.checkpoint, map_location=device)
    model.module.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    loader.load_state_dict(saved["loader"])
    before = saved["seen"]


def save(finished: bool = False) -> list[str]:
    """Writes a checkpoint, with the loader's state, which is the same in all processes; returns the epoch's keys."""
    parts: list = [None] * processes
    dist.all_gather_object(parts, mine)
    seen = before + [key for part in parts for key in part]
    if rank == 0:
        state = {"model": model.module.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "loader": loader.state_dict(), "seen": [] if finished else seen}, f"{args.checkpoint}.new")
        os.replace(f"{args.checkpoint}.new", args.checkpoint)
    return seen


for step, batch in enumerate(loader, 1):
    loss = torch.nn.functional.cross_entropy(model(batch.images), batch.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    mine += batch.keys[: batch.valid]
    if rank == 0:
        print(f"step {step}: loss {loss.item():.3f}", flush=True)
    if step == args.stop_after:
        seen = save()
        break
    if step % args.save_every == 0:
        save()
else:
    seen = save(finished=True)
if rank == 0:
    print(f"{len(seen)} of {loader.samples} samples, {len(set(seen))} of them different, by {processes} processes")
dist.destroy_process_group()
