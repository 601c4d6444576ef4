"""One network in training: loss, errors, optimiser and annealing (section 3 of the paper)."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zfrepro.data.crops import subtract_mean
from zfrepro.data.module import Batch, epoch_seed
from zfrepro.lightning import pl
from zfrepro.models.clipping import clip_filters, convolutions
from zfrepro.models.convnet import ConvNet
from zfrepro.models.dropout import set_shard
from zfrepro.training.errors import wrong_at
from zfrepro.training.setbacks import GIVEN_UP, Place, Spread, is_lost

Row = dict[str, float]

log = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """The loss became NaN or infinite; the message names step, learning rate and checkpoint."""


class Tally:
    """Sums over an epoch: on the device loss, wrong at 1, wrong at 5; the images."""

    def __init__(self) -> None:
        self.sums: Tensor | None = None
        self.images = self.classes = 0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Counts a batch: logits (B, classes), labels (B,), mean loss ()."""
        new = torch.stack([loss.detach().double() * len(labels), *wrong_at(logits, labels)])
        self.sums = new if self.sums is None else self.sums + new
        self.images += len(labels)
        self.classes = logits.shape[1]

    def errors(self, prefix: str, strategy: pl.strategies.Strategy) -> Row:
        """Mean loss and errors in percent over the images of all processes; starts anew.

        Of five classes or fewer there is no top-5 error: it would be 0 whatever was learned.
        """
        sums = [0.0, 0.0, 0.0] if self.sums is None else self.sums.tolist()
        own = torch.tensor([*sums, self.images], dtype=torch.float64)
        self.sums, self.images = None, 0
        total = strategy.reduce(own.to(strategy.root_device), reduce_op="sum")
        loss, wrong1, wrong5, images = total.tolist()
        row = {f"{prefix}/loss": loss / images, f"{prefix}/top1": 100 * wrong1 / images}
        return row | ({f"{prefix}/top5": 100 * wrong5 / images} if self.classes > 5 else {})


class Classifier(pl.LightningModule):
    """A net, the mean image it subtracts, and how it learns.

    Args:
        net: (B, 3, c, c) in [-128, 128] to logits (B, classes).
        mean: float32 (S, S, 3), the training set's mean image.
        training: the section `training` of the configuration.
        seed: with the epoch it decides all that is random.
        chance: the loss without learning (`setbacks.chance`).
    """

    def __init__(
        self, net: ConvNet, mean: Tensor, training: Mapping[str, Any], seed: int, chance: float
    ) -> None:
        super().__init__()
        self.net: ConvNet = net.to(memory_format=torch.channels_last)
        self.register_buffer("mean", mean, persistent=False)
        self.mean: Tensor
        self.history: list[Row] = []
        self._training, self._seed = training, seed
        self._tallies = {"train": Tally(), "val": Tally()}
        self._spread = Spread()
        self._convs = [conv for conv in convolutions(net) if conv.weight.requires_grad]
        self._chance = chance
        self._place: Place | None = None
        self._bad_step: Tensor | None = None
        self._annealing: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._annealing_state: dict[str, Any] | None = None

    @property
    def lr(self) -> float:
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, classes) of a batch of crops."""
        logits: Tensor = self.net(
            subtract_mean(batch.images, self.mean, batch.tops, batch.lefts, batch.flips)
        )
        return logits

    def on_fit_start(self) -> None:
        set_shard(self.net, self.global_rank, self.trainer.world_size)

    def on_train_start(self) -> None:
        if self._training["recovery_factor"] is not None:
            self._place = Place(self.net, self.trainer.optimizers[0])

    def on_train_epoch_start(self) -> None:
        # dropout's masks: every process draws those of the whole global batch and keeps its rows
        torch.manual_seed(epoch_seed(self._seed, self.current_epoch))

    def training_step(self, batch: Batch) -> Tensor:
        loss, logits = self._loss(batch)
        self._tallies["train"].add(logits.detach(), batch.labels, loss)
        self._note_bad_step(loss.detach())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        if (limit := self._training["max_filter_rms"]) is not None:
            clip_filters(self._convs, limit)
        # on a GPU each look at the loss would wait for the device
        if self.device.type == "cpu" or self.global_step % 50 == 0:
            self._stop_if_diverged()

    def validation_step(self, batch: Batch) -> None:
        loss, logits = self._loss(batch)
        self._tallies["val"].add(logits, batch.labels, loss)
        self._spread.add(logits)

    def on_validation_epoch_end(self) -> None:
        self._stop_if_diverged()
        strategy = self.trainer.strategy
        dead = strategy.reduce(self._spread.is_none().to(strategy.root_device), reduce_op="mean")
        row = {"epoch": self.current_epoch + 1.0}
        for prefix, tally in self._tallies.items():
            row |= tally.errors(prefix, strategy)
        row["lr"] = self.lr
        before = [past["train/loss"] for past in self.history if not past.get(GIVEN_UP)]
        self.history.append(row)
        self._warn_if_nothing_is_learned(row)
        if self._place is None:
            self._anneal(row)
            return
        # the last step of an epoch shows in the validation loss alone
        lost = bool(dead == 1) or not math.isfinite(row["val/loss"])
        lost = lost or is_lost(row["train/loss"], before, self._chance)
        row[GIVEN_UP] = float(lost)
        if lost:
            self._go_back(row)
        else:
            self._anneal(row)
            self._place.keep()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        training = self._training
        optimizer = torch.optim.SGD(
            [weights for weights in self.net.parameters() if weights.requires_grad],
            lr=training["lr"],
            momentum=training["momentum"],
            weight_decay=training["weight_decay"],
            fused=True,
        )
        # stepped here and not by Lightning, which would save it before it has seen the epoch
        rule = training["annealing"]
        self._annealing = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=rule["factor"], patience=rule["patience"], min_lr=rule["min_lr"],
            threshold=0.0, threshold_mode="abs",
        )  # fmt: skip
        if self._annealing_state is not None:
            self._annealing.load_state_dict(self._annealing_state)
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert self._annealing is not None  # noqa: S101
        checkpoint["history"] = self.history
        checkpoint["annealing"] = self._annealing.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]
        self._annealing_state = checkpoint["annealing"]

    def _anneal(self, row: Row) -> None:
        """Lowers the rate for the epochs after this one, where the rule says so."""
        rule = self._training["annealing"]
        if rule["milestones"] is None:
            assert self._annealing is not None  # noqa: S101  made by configure_optimizers
            self._annealing.step(row["val/top1"])
        elif row["epoch"] in rule["milestones"]:
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = max(group["lr"] * rule["factor"], rule["min_lr"])

    def _go_back(self, row: Row) -> None:
        assert self._place is not None  # noqa: S101
        training, self._bad_step = self._training, None
        rate = self._place.go_back(training["recovery_factor"], training["annealing"]["min_lr"])
        log.warning(
            "epoch %d: the training loss is %.3f (chance is %.3f), what was learned is lost: back "
            "to the weights before it, and the learning rate falls from %g to %g",
            row["epoch"], row["train/loss"], self._chance, row["lr"], rate,
        )  # fmt: skip

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        logits = self(batch).float()
        return functional.cross_entropy(logits, batch.labels), logits

    def _note_bad_step(self, loss: Tensor) -> None:
        """Remembers, on the device, the first step whose loss is no number."""
        step = torch.where(torch.isfinite(loss), math.inf, float(self.global_step))
        self._bad_step = step if self._bad_step is None else torch.minimum(self._bad_step, step)

    def _stop_if_diverged(self) -> None:
        if self._place is not None:  # which goes back at the end of the epoch
            return
        if self._bad_step is not None and math.isfinite(step := self._bad_step.item()):
            raise DivergedError(
                f"the loss is NaN or infinite at step {int(step)} "
                f"(epoch {self.current_epoch + 1}), learning rate {self.lr:g}; "
                "lower training.lr or check the data"
            )

    def _warn_if_nothing_is_learned(self, row: Row) -> None:
        if 5 <= row["epoch"] <= 10 and row["train/loss"] > self._chance - 0.005:
            log.warning(
                "after epoch %d the training loss is %.3f, and %.3f is chance: "
                "no learning yet (initialisation? learning rate?)",
                row["epoch"], row["train/loss"], self._chance,
            )  # fmt: skip
