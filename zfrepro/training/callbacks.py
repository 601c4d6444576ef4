"""What happens at the end of each epoch: a checkpoint, a line or a bar."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import torch

from zfrepro.lightning import pl
from zfrepro.training import checkpoints
from zfrepro.training.module import Classifier, Row
from zfrepro.training.setbacks import best


class EpochEnd(pl.Callback):
    """Saves the state, learning curve included, and then reports the epoch.

    Args:
        training: the section of the configuration; of it `snapshots`, epochs (from 1) after which
            the weights are kept for good, and `keep_best`, whether those of the least validation
            error are.
    """

    def __init__(
        self, folder: Path, report: Callable[[Row], None], training: Mapping[str, Any]
    ) -> None:
        self._folder, self._report = folder, report
        self._snapshots, self._keep_best = training["snapshots"], training["keep_best"]
        self._start = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Classifier)  # noqa: S101
        row = module.history[-1]
        self._add_speed(trainer, row)
        epoch = int(row["epoch"])
        if trainer.is_global_zero and epoch in self._snapshots:
            checkpoints.snapshot(module.net, self._folder, epoch)  # first: it may not be missing
        if trainer.is_global_zero and self._keep_best and best(module.history) is row:
            checkpoints.keep_best(module.net, self._folder)
        checkpoints.save(trainer, self._folder, epoch)
        if trainer.is_global_zero:
            self._report(row)

    def _add_speed(self, trainer: pl.Trainer, row: Row) -> None:
        seconds = time.perf_counter() - self._start
        batches, world = trainer.num_training_batches, trainer.world_size
        sampler = trainer.train_dataloader.sampler  # type: ignore[union-attr]
        images = batches * sampler.share * world
        row |= {"seconds": seconds, "images_per_second": images / seconds}


class OwnSignals(pl.Callback):
    """Leaves SIGTERM to whoever handled it before, where several processes train.

    Lightning's handler waits until every process has come to the same point, which is for ever
    where one of them is gone. submitit's is left to Lightning, which then stops the training.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        if trainer.world_size > 1 and "SUBMITIT_EXECUTOR" not in os.environ:
            signal.signal(signal.SIGTERM, self._handler)


class OneStart(pl.Callback):
    """Has all processes go on from the same epoch, or none.

    On a shared disk one may not see yet what another wrote, and would wait for the others for ever.

    Raises:
        ValueError: on every process, where they differ.
    """

    def setup(self, trainer: pl.Trainer, _module: pl.LightningModule, stage: str) -> None:
        epoch = checkpoints.epoch_of(Path(trainer.ckpt_path)) if trainer.ckpt_path else 0
        own = torch.tensor([epoch, epoch**2], device=trainer.strategy.root_device)
        total, squares = trainer.strategy.reduce(own, reduce_op="sum").tolist()
        if trainer.world_size * squares != total**2:  # their variance is not 0
            raise ValueError(
                f"the processes see different last checkpoints in {trainer.default_root_dir}, this "
                f"one epoch {epoch}'s: start again once all see the same"
            )


class EpochLines(pl.Callback):
    """One line an epoch, where nobody watches a bar.

    Args:
        name: that the lines begin with, since several trainings may write to one terminal.
    """

    def __init__(self, name: str | None) -> None:
        self._prefix = f"{name}, " if name else ""

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero and isinstance(module, Classifier):
            row = module.history[-1]
            print(  # noqa: T201  what the user of the command reads
                f"{self._prefix}epoch {row['epoch']:.0f}/{trainer.max_epochs}: "
                f"train loss {row['train/loss']:.3f}, top-1 error {row['train/top1']:.1f}; "
                f"val loss {row['val/loss']:.3f}, top-1 {row['val/top1']:.1f}"
                + (f", top-5 {row['val/top5']:.1f} %" if "val/top5" in row else " %"),
                file=sys.stderr,
                flush=True,
            )


class Bar(pl.callbacks.TQDMProgressBar):
    """Lightning's bar with the last epoch's errors."""

    def get_metrics(
        self, _trainer: pl.Trainer, module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        history = module.history if isinstance(module, Classifier) else []
        return {key: f"{history[-1][key]:.1f}" for key in ("train/top1", "val/top1") if history}


def progress(kind: str, name: str | None = None) -> list[pl.Callback]:
    """The callbacks of `trainer.progress`: auto, bar, lines or none.

    Args:
        name: of the training, for its lines.

    Raises:
        ValueError: another word.
    """
    if kind == "auto":
        # a worker shares the terminal with others, and bars would overwrite each other
        kind = "bar" if sys.stderr.isatty() and parent_process() is None else "lines"
    kinds: dict[str, list[pl.Callback]] = {
        "bar": [Bar(refresh_rate=10)],
        "lines": [EpochLines(name)],
        "none": [],
    }
    if kind not in kinds:
        raise ValueError(f"trainer.progress is {kind!r}; it can be auto, {', '.join(kinds)}")
    return kinds[kind]
