"""Applies torchvision's transforms, which Shardmill lacks, to batches of bytes: ``python transforms_v2.py SHARDS``.

The loader decodes, crops, flips and shuffles on its threads. TrivialAugment and random erasing come from
torchvision and work on uint8 tensors, here on the CPU, or faster on a GPU (``device="cuda"``). A transform draws
once for its whole input, so transforms that should differ within a batch get single images.
"""

import sys

import torch
from torchvision.transforms import v2

import shardmill

loader = shardmill.Loader(
    sys.argv[1],
    batch_size=64,
    augment=shardmill.RandomResizedCrop(224, flip=True),
    output="uint8",
    framework="torch",
    seed=0,
)
augment = v2.Compose([v2.TrivialAugmentWide(), v2.RandomErasing(p=0.25)])
finish = v2.Compose(
    [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])]
)
classes = len(loader.datasets[0].classes)
mix = v2.CutMix(num_classes=classes)

torch.manual_seed(0)
changed = 0
for images, labels in loader:
    augmented = torch.stack([augment(image) for image in images])
    changed += int((augmented != images).flatten(1).any(1).sum())
    # CutMix draws once for a whole batch, and turns labels into shares of classes.
    inputs, targets = mix(finish(augmented), labels)
print(f"{changed} of {loader.samples} images were changed by TrivialAugment or erased in part")
print(f"a batch: {inputs.dtype} {tuple(inputs.shape)}, targets {tuple(targets.shape)}")
print(f"mean {inputs.mean():.2f}, standard deviation {inputs.std():.2f}")
