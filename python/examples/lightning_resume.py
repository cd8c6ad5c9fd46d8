"""Stops Lightning twice in the middle of an epoch and resumes exactly there: ``python lightning_resume.py SHARDS``.

Lightning writes the loader's state into its checkpoints and passes its epochs to the loader; this needs no extra
code. Together, the three runs see the samples of an uninterrupted run, in the same order.
"""

import sys
import tempfile

import lightning.pytorch as pl
import torch

import shardmill


class Model(pl.LightningModule):
    """A linear network over small images."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3 * 14 * 14, classes)
        self.seen: list[str] = []

    def training_step(self, batch: shardmill.Batch, _: int) -> torch.Tensor:
        """Also records which samples it gets."""
        self.seen += [f"{batch.epoch}: {key}" for key in batch.keys]
        small = torch.nn.functional.adaptive_avg_pool2d(batch.images, 14)
        return torch.nn.functional.cross_entropy(self.layer(small.flatten(1)), batch.labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Stop(pl.Callback):
    """Writes a checkpoint after a step and ends the run, as if the machine had been taken away."""

    def __init__(self, step: int | None, path: str) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Runs after every step."""
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def run(stop: int | None, path: str, resume: str | None) -> list[str]:
    """Trains for two epochs, or for the part of them between two stops."""
    loader = shardmill.Loader(sys.argv[1], batch_size=32, seed=1, normalize="imagenet", framework="torch")
    model = Model(len(loader.datasets[0].classes))
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[Stop(stop, path)], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, loader, ckpt_path=resume, weights_only=False)
    print(f"steps up to {trainer.global_step}: {len(model.seen)} samples")
    return model.seen


with tempfile.TemporaryDirectory() as folder:
    whole = run(None, "", None)
    first, second = f"{folder}/first.ckpt", f"{folder}/second.ckpt"
    seen = run(3, first, None)
    seen += run(5, second, first)
    seen += run(None, "", second)

assert seen == whole
print(f"three runs saw the {len(whole)} samples of one, in the same order")
