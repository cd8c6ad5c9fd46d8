"""Lightning with a loader: epochs, and stops in the middle of them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import shardmill

from conftest import SAMPLES

torch = pytest.importorskip("torch")
pl = pytest.importorskip("lightning.pytorch")

BATCH = 16
STEPS = -(-SAMPLES // BATCH)


class Model(pl.LightningModule):
    """A linear network that records which samples it was trained on."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3 * 24 * 24, 7)
        self.stop_at = stop_at
        self.seen: list[tuple[int, str]] = []

    def training_step(self, batch: shardmill.Batch, _: int) -> Any:
        self.seen += [(batch.epoch, key) for key in batch.keys]
        if self.global_step + 1 == self.stop_at:
            self.trainer.should_stop = True
        return torch.nn.functional.cross_entropy(self.layer(batch.images.flatten(1)), batch.labels)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1e-4)


class Save(pl.Callback):
    """Writes a checkpoint after a step, as `ModelCheckpoint(every_n_train_steps=...)` does."""

    def __init__(self, step: int | None, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def loader(shards: Path, batch_size: int = BATCH) -> shardmill.Loader:
    return shardmill.Loader(
        shards, crop=24, batch_size=batch_size, seed=4, threads=2, normalize="imagenet", framework="torch"
    )


def fit(shards: Path, folder: Path, *, stop_at: int | None, resume: Path | None, epochs: int = 3) -> Model:
    torch.manual_seed(1)
    model = Model(stop_at)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Save(stop_at, folder / f"{stop_at}.ckpt")],
    )
    with warnings.catch_warnings():
        # A loader that could not resume would be told so here.
        warnings.filterwarnings("error", message=".*dataloader is not resumable.*")
        trainer.fit(model, loader(shards), ckpt_path=resume, weights_only=False if resume else None)
    return model


def test_every_epoch_is_another_and_whole(shards: Path, tmp_path: Path) -> None:
    model = fit(shards, tmp_path, stop_at=None, resume=None)
    assert len(model.seen) == 3 * SAMPLES
    orders = [[key for number, key in model.seen if number == epoch] for epoch in range(3)]
    for order in orders:
        assert len(set(order)) == SAMPLES
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize(
    "stops",
    [
        # In the middle of the first epoch, and of the second.
        (4, STEPS + 5),
        # Twice in one epoch.
        (STEPS + 2, STEPS + 6),
        # Before the last batch of two epochs.
        (STEPS - 1, 2 * STEPS - 1),
        # After the last batch of an epoch. (Lightning 2.6 counts the epochs wrong in a checkpoint that is made in
        # the middle of the epoch after such a resume, and never gives that state to any loader.)
        (STEPS,),
    ],
)
def test_runs_that_stop_and_go_on_see_what_one_run_sees(shards: Path, tmp_path: Path, stops: tuple[int, ...]) -> None:
    whole = fit(shards, tmp_path, stop_at=None, resume=None)
    seen, resume = [], None
    for stop_at in (*stops, None):
        part = fit(shards, tmp_path, stop_at=stop_at, resume=resume)
        seen += part.seen
        resume = tmp_path / f"{stop_at}.ckpt"
    assert seen == whole.seen
    for one, other in zip(part.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_an_epochs_end_goes_on_with_the_next(shards: Path, tmp_path: Path) -> None:
    whole = fit(shards, tmp_path, stop_at=None, resume=None)
    first = fit(shards, tmp_path, stop_at=None, resume=None, epochs=1)
    first.trainer.save_checkpoint(tmp_path / "end.ckpt")
    second = fit(shards, tmp_path, stop_at=STEPS + 4, resume=tmp_path / "end.ckpt")
    third = fit(shards, tmp_path, stop_at=None, resume=tmp_path / f"{STEPS + 4}.ckpt")
    assert first.seen + second.seen + third.seen == whole.seen


def test_a_validation_loader_gives_its_split_once_an_epoch(shards: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    class Validated(Model):
        def validation_step(self, batch: shardmill.Batch, _: int) -> None:
            seen.extend(batch.keys)

    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
    )
    center = shardmill.Loader(shards, augment=shardmill.CenterCrop(24), batch_size=BATCH, framework="torch")
    trainer.fit(Validated(), loader(shards), center)
    dataset = shardmill.Dataset(shards)
    assert seen == dataset.keys * 2
