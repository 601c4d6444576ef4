"""Trains real networks for a few seconds, by the parts that `zfrepro.training.fit` is made of.

The epochs are real but for their length: batches are read, crops drawn, filters clipped, errors
counted, images validated and a checkpoint written.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zfrepro.cost.speed import Speed
from zfrepro.data.module import Batch
from zfrepro.data.store import PreparedSet
from zfrepro.lightning import pl
from zfrepro.training.callbacks import EpochEnd
from zfrepro.training.fit import batches, build_net, make_trainer
from zfrepro.training.module import Classifier
from zfrepro.training.precision import choose_precision

LEAST = 3  # steps that are measured, the first of which does not count
VAL_BATCHES = 3  # the same
ALONE = {"devices": 1, "nodes": 1, "strategy": "auto", "progress": "none"}

Config = Mapping[str, Any]


class Clock(pl.Callback):
    """Times steps and validation batches, and ends the training after `seconds` of steps."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = self._began = 0.0
        self.steps: list[float] = []  # seconds each, their reading included
        self.val: list[tuple[float, int]] = []  # seconds and images of each batch
        self.checkpoint = 0.0  # seconds of the last one

    def on_train_epoch_start(self, _trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._last = self._began = _now(module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self.steps.append(self._lap(module))
        trainer.should_stop = sum(self.steps) > self._seconds and len(self.steps) >= LEAST

    def on_validation_start(self, _trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._lap(module)

    def on_validation_batch_end(
        self,
        _trainer: pl.Trainer,
        module: pl.LightningModule,
        _outputs: Any,
        batch: Batch,
        *_: Any,
    ) -> None:
        self.val.append((self._lap(module), len(batch.labels)))

    def on_train_epoch_end(self, _trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Classifier)  # noqa: S101
        # called after the project's own callback, which notes the epoch and saves it
        self.checkpoint = _now(module) - self._began - module.history[-1]["seconds"]

    def _lap(self, module: pl.LightningModule) -> float:
        last, self._last = self._last, _now(module)
        return self._last - last


def measure(
    config: Config, prepared: PreparedSet, classes: int, share: int, folder: Path, seconds: float
) -> Speed:
    """The speed of training `config` on one device of this machine, in about `seconds`.

    Args:
        prepared: its images, or others of the same size.
        share: images of a batch that the device has to train.
        folder: an empty one, for checkpoints.
    """
    here = {**config, "trainer": trainer_here(config["trainer"])}
    here["training"] = {**config["training"], "epochs": 1000, "batch": share}
    clock = Clock(seconds)
    _train(here, prepared, classes, folder, clock)
    steps, batches = clock.steps[1:], clock.val[1:] or clock.val
    return Speed(
        train_image=sum(steps) / len(steps) / share,
        val_image=sum(s for s, _ in batches) / sum(n for _, n in batches),
        checkpoint=clock.checkpoint,
        how="measured",
    )


def trainer_here(trainer: Config) -> dict[str, Any]:
    """One process of `trainer`, on the CPU where it asks for a GPU that is not there."""
    if trainer["accelerator"] == "gpu" and not torch.cuda.is_available():
        return {**trainer, **ALONE, "accelerator": "cpu", "workers": 0}
    return {**trainer, **ALONE}


def devices(trainer: Config) -> int:
    """GPUs that `trainer` shares a batch among on machines like this one; 1 without any."""
    if trainer["accelerator"] != "gpu" or not torch.cuda.is_available():
        return 1
    each: int = torch.cuda.device_count() if trainer["devices"] == -1 else trainer["devices"]
    return each * int(trainer["nodes"])


def activation_bytes(config: Config) -> int:
    """Of a number that a training step keeps on this machine."""
    accelerator = trainer_here(config["trainer"])["accelerator"]
    precision = choose_precision(config["training"]["precision"], accelerator)
    return 2 if precision == "bf16-mixed" else 4


def _train(config: Config, prepared: PreparedSet, classes: int, folder: Path, clock: Clock) -> None:
    net, mean = build_net(config, classes), torch.from_numpy(prepared.mean)
    module = Classifier(net, mean, config["training"], 0, math.log(classes))
    epoch_end = EpochEnd(folder, lambda _: None, config["training"])
    trainer = make_trainer(config, folder, [epoch_end, clock])
    trainer.limit_val_batches = VAL_BATCHES
    trainer.fit(module, batches(config, prepared))


def _now(module: pl.LightningModule) -> float:
    if module.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
