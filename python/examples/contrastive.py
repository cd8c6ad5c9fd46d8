"""Two augmentations of every image, for contrastive learning: ``python contrastive.py SHARDS``."""

import sys

import torch
import torch.nn.functional as F
import torchvision

import shardmill

# Images are [32, 2, 3, 64, 64]: two crops of each sample, drawn and coloured independently.
loader = shardmill.Loader(
    sys.argv[1],
    batch_size=32,
    augment=shardmill.RandomResizedCrop(64, scale=(0.2, 1.0)),
    color_jitter=shardmill.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    views=2,
    last_batch="drop",
    normalize="imagenet",
    framework="torch",
)

torch.manual_seed(0)
model = torchvision.models.resnet18(num_classes=64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)


def contrastive_loss(features: torch.Tensor, temperature: float = 0.2) -> torch.Tensor:
    """SimCLR's loss: each row must find the other view of its sample among all rows of the batch."""
    features = F.normalize(features, dim=1)
    likeness = features @ features.T / temperature
    likeness.fill_diagonal_(-torch.inf)
    # Rows 2i and 2i + 1 belong to the same sample.
    other = torch.arange(len(features)) ^ 1
    return F.cross_entropy(likeness, other)


for step, (images, _) in zip(range(5), loader, strict=False):
    loss = contrastive_loss(model(images.flatten(0, 1)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step + 1}: {tuple(images.shape)}, loss {loss.item():.3f}")
