"""What happens at the end of each epoch: checkpoint, learning curves, a line or a bar."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import TQDMProgressBar
from pytorch_lightning.plugins import TorchCheckpointIO

from zfrepro.files import atomic_path
from zfrepro.training.module import Classifier, Row

COLUMNS = [
    "epoch", "train/loss", "train/top1", "train/top5", "val/loss", "val/top1", "val/top5", "lr",
    "seconds", "images_per_second",
]  # fmt: skip
CHECKPOINT = "last.ckpt"
CURVES = "epochs.csv"


class EpochEnd(pl.Callback):
    """Writes one checkpoint and the whole learning curve, each atomically, then reports the epoch.

    The checkpoint holds the curve, so the two cannot disagree after a kill between their writes.
    """

    def __init__(self, folder: Path, report: Callable[[Row], None]) -> None:
        self._folder, self._report = folder, report
        self._start = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Classifier)  # noqa: S101
        self._add_speed(trainer, module.history[-1])
        unfinished = self._folder / f".{CHECKPOINT}.part"
        trainer.save_checkpoint(unfinished, weights_only=False)  # on every process
        if trainer.is_global_zero:
            unfinished.replace(self._folder / CHECKPOINT)
            write_curves(self._folder / CURVES, module.history)
            self._report(module.history[-1])

    def _add_speed(self, trainer: pl.Trainer, row: Row) -> None:
        seconds = time.perf_counter() - self._start
        batches, world = trainer.num_training_batches, trainer.world_size
        sampler = trainer.train_dataloader.sampler  # type: ignore[union-attr]
        images = batches * sampler.share * world
        row |= {"seconds": seconds, "images_per_second": images / seconds}


class PlainCheckpointIO(TorchCheckpointIO):
    """Straight into the file: Lightning's own goes through a copy in memory, to be atomic.

    `EpochEnd` renames a whole file into place and has no need of that.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        torch.save(checkpoint, path)


class EpochLines(pl.Callback):
    """One line an epoch, where nobody watches a bar."""

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero and isinstance(module, Classifier):
            row = module.history[-1]
            print(  # noqa: T201  what the user of the command reads
                f"epoch {row['epoch']:.0f}/{trainer.max_epochs}: "
                f"train loss {row['train/loss']:.3f}, top-1 error {row['train/top1']:.1f}; "
                f"val loss {row['val/loss']:.3f}, top-1 {row['val/top1']:.1f}, "
                f"top-5 {row['val/top5']:.1f} %",
                file=sys.stderr,
                flush=True,
            )


class Bar(TQDMProgressBar):
    """Lightning's bar with the last epoch's errors."""

    def get_metrics(
        self, _trainer: pl.Trainer, module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        history = module.history if isinstance(module, Classifier) else []
        return {key: f"{history[-1][key]:.1f}" for key in ("train/top1", "val/top1") if history}


def progress(kind: str) -> list[pl.Callback]:
    """The callbacks of `trainer.progress`: auto, bar, lines or none.

    Raises:
        ValueError: another word.
    """
    if kind == "auto":
        kind = "bar" if sys.stderr.isatty() else "lines"
    kinds: dict[str, list[pl.Callback]] = {
        "bar": [Bar(refresh_rate=10)],
        "lines": [EpochLines()],
        "none": [],
    }
    if kind not in kinds:
        raise ValueError(f"trainer.progress is {kind!r}; it can be auto, {', '.join(kinds)}")
    return kinds[kind]


def write_curves(path: Path, history: list[Row]) -> None:
    """One row an epoch; errors in percent."""
    table = pd.DataFrame(history, columns=COLUMNS).astype({"epoch": int})
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
