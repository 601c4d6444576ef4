"""Trainings whose loss jumps go back; their best weights are kept; chance is named."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.training.test_fit import Stopped, curves, same, stop_after
from zfrepro.data.store import PreparedSet
from zfrepro.training import result
from zfrepro.training.chance import at_chance, majority_error
from zfrepro.training.fit import fit
from zfrepro.training.module import Classifier
from zfrepro.training.setbacks import Spread, chance, counted, is_lost
from zfrepro.training.trained import load

Config = dict[str, Any]


def test_chance_is_the_entropy_of_the_classes() -> None:
    assert chance(np.arange(8)) == pytest.approx(math.log(8))
    assert chance(np.array([0, 0, 0, 1])) == pytest.approx(0.5623, abs=1e-4)


@pytest.mark.parametrize(
    ("loss", "before", "lost"),
    [
        (math.nan, [], True),
        (math.inf, [2.0], True),
        (2.1, [], False),  # never below chance: it has nothing to lose
        (2.1, [2.08, 2.05], False),
        (2.1, [1.9, 1.63], True),
        (1.84, [1.9, 1.63], False),  # less than half of the gain, 0.45
        (1.9, [1.9, 1.63, 1.7], True),
        (1.0, [0.1, 0.5], False),
    ],
)
def test_an_epoch_is_lost_with_more_than_half_of_the_gain(
    loss: float, before: list[float], lost: bool
) -> None:
    assert is_lost(loss, before, chance=2.079) is lost


def test_a_dead_net_answers_the_same_to_every_image() -> None:
    spread, same_rows = Spread(), torch.tensor([[1.0, 2.0]] * 3)
    for batches, dead in (
        ([same_rows, same_rows], 1), ([same_rows, same_rows + 1], 0), ([same_rows[:1]], 0), ([], 0),
    ):  # fmt: skip
        for logits in batches:
            spread.add(logits)
        assert spread.is_none() == dead


def jumping(
    monkeypatch: pytest.MonkeyPatch, epochs: set[int], spoil: float, *, at_the_end: bool = False
) -> None:
    """Has the weights of some epochs (from 1) spoilt after their first step, or their last."""
    step = Classifier.on_train_batch_end

    def spoiling(self: Classifier, *args: Any) -> None:
        step(self, *args)
        last = args[2] == self.trainer.num_training_batches - 1
        if self.current_epoch + 1 in epochs and (last or not at_the_end):
            with torch.no_grad():
                for weights in self.net.parameters():
                    weights.mul_(spoil)

    monkeypatch.setattr(Classifier, "on_train_batch_end", spoiling)


@pytest.fixture
def config_with_recovery(tiny_config: Config) -> Config:
    tiny_config["training"] |= {"recovery_factor": 0.5, "keep_best": True, "lr": 0.004}
    tiny_config["training"]["annealing"]["patience"] = 9
    return tiny_config


@pytest.mark.parametrize("spoil", [math.nan, 0.0], ids=["not a number", "dead"])
def test_a_lost_epoch_is_undone_and_the_rate_falls(
    tiny: PreparedSet, config_with_recovery: Config, folder: Path, spoil: float,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    jumping(monkeypatch, {1, 3}, spoil)
    fitted = fit(config_with_recovery, tiny, folder, lambda _: None)
    assert [row["given_up"] for row in fitted.history] == [1, 0, 1, 0]
    assert [row["lr"] for row in fitted.history] == [0.004, 0.002, 0.002, 0.001]
    assert all(torch.isfinite(weights).all() for weights in fitted.net.parameters())
    assert "epoch 3: the training loss is" in caplog.text
    assert "the learning rate falls from 0.002 to 0.001" in caplog.text
    for stop in (1, 3):  # killed right after it went back
        with pytest.raises(Stopped):
            fit(config_with_recovery, tiny, folder / str(stop), stop_after(stop))
        again = fit(config_with_recovery, tiny, folder / str(stop), lambda _: None)
        assert same(again, fitted)
        assert str(curves(again)) == str(curves(fitted))  # a NaN is not equal to itself


def test_a_step_that_spoils_after_the_last_loss_is_undone_too(
    tiny: PreparedSet, config_with_recovery: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumping(monkeypatch, {2}, math.nan, at_the_end=True)
    fitted = fit(config_with_recovery, tiny, folder, lambda _: None)
    assert [row["given_up"] for row in fitted.history] == [0, 1, 0, 0]
    assert math.isfinite(fitted.history[-1]["val/loss"])


def test_the_last_result_is_that_of_the_weights(
    tiny: PreparedSet, config_with_recovery: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumping(monkeypatch, {4}, 0.0)
    fitted = fit(config_with_recovery, tiny, folder, lambda _: None)
    result.write(folder, fitted, tiny, config_with_recovery["crop"])
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["val/loss"] == pytest.approx(fitted.history[2]["val/loss"], abs=1e-6)
    best = min(counted(fitted.history), key=lambda row: row["val/top1"])
    assert metrics["best/epoch"] == best["epoch"]
    assert metrics["best/val_top1"] == pytest.approx(best["val/top1"], abs=1e-6)
    assert load(folder / "best.pt").net.spec == fitted.net.spec
    assert pd.read_csv(folder / "epochs.csv")["given_up"].tolist() == [0, 0, 0, 1]
    assert "val/top5" not in metrics  # of four classes it says nothing
    assert metrics["at_chance"] == load(folder / "weights.pt").at_chance


def test_guessing_has_an_exact_bound() -> None:
    labels = np.repeat(np.arange(4), 25)
    assert majority_error(labels) == 75
    assert at_chance(75, labels)
    assert at_chance(67, labels)  # 33 of 100 right: guesses do that in 4.5 % of cases
    assert not at_chance(65, labels)  # 35: in 1.6 %
    assert at_chance(100, labels)
    uneven = np.repeat([0, 1], [90, 10])
    assert at_chance(10, uneven)
    assert not at_chance(1, uneven)
    assert at_chance(0, np.array([0, 0]))  # one class: nothing can be shown
