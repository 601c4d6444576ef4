"""A fold as a prepared set, and a training on it that is killed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.transfer import target_sets
from zfrepro import config
from zfrepro.data.store import PreparedSet
from zfrepro.training import callbacks
from zfrepro.transfer import scratch
from zfrepro.transfer.protocol import Fold, Labels, draw

SCRATCH = {"batch": 16, "epochs": 3, "steps": 2, "milestones": [2]}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return target_sets.caltech(tmp_path_factory.mktemp("sets") / "caltech101")


@pytest.fixture(scope="module")
def labels(prepared: PreparedSet) -> Labels:
    ids = [identity for identity, _ in prepared.classes]
    return Labels.of(prepared.split("all").labels, ids, ["BACKGROUND_Google"])


@pytest.fixture
def fold(labels: Labels) -> Fold:
    return draw(labels, 4, 50, number=1, seed=0)


def experiment() -> dict[str, Any]:
    overrides = ["profile=smoke", "model.width=0.125", "training.precision=32-true"]
    return config.compose_experiment("tab3_zfnet", overrides)


def test_a_fold_is_a_prepared_set(prepared: PreparedSet, labels: Labels, fold: Fold) -> None:
    whole = prepared.split("all")
    found = scratch.FoldSet(prepared, whole, fold, labels, size=3 * 16 + 4)
    train, val = found.split("train"), found.split("val")
    assert [name for name, _ in found.classes] == list(target_sets.CLASSES[1:])
    assert len(train) == 3 * 16 + 4
    assert np.bincount(train.labels).tolist() == [13, 13, 13, 13]
    np.testing.assert_array_equal(train.read([4]), whole.read(fold.train[[1]]))
    np.testing.assert_array_equal(val.read([2]), whole.read(fold.test[[2]]))
    assert train.labels[[0, 12, 13, 51]].tolist() == [0, 0, 1, 3]
    np.testing.assert_allclose(found.mean, whole.read(fold.train).mean(0), atol=1e-3)


def test_a_killed_training_goes_on_and_ends_the_same(
    prepared: PreparedSet, labels: Labels, fold: Fold, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def accuracy(folder: str) -> float:
        return scratch.accuracy(experiment(), SCRATCH, prepared, fold, labels, tmp_path / folder)

    nets = []
    fit = scratch.fit

    def noted(*args: Any, **kwargs: Any) -> Any:
        fitted = fit(*args, **kwargs)
        nets.append(fitted)
        return fitted

    monkeypatch.setattr(scratch, "fit", noted)
    whole = accuracy("whole")
    end = callbacks.EpochEnd.on_train_epoch_end

    def killed(self: Any, trainer: Any, module: Any) -> None:
        end(self, trainer, module)
        if trainer.current_epoch == 1:
            raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.EpochEnd, "on_train_epoch_end", killed)
        with pytest.raises(SystemExit):
            accuracy("killed")
    assert accuracy("killed") == whole
    assert [len(fitted.history) for fitted in nets] == [3, 3]
    for one, other in zip(*(fitted.net.parameters() for fitted in nets), strict=True):
        assert (one == other).all()


def test_the_recipe_is_the_networks_but_for_its_length(fold: Fold) -> None:
    before = experiment()
    found = scratch.settings(before, SCRATCH, fold)
    changed = {k for k, v in found["training"].items() if v != before["training"][k]}
    assert changed <= {"epochs", "batch", "annealing", "snapshots"}
    assert found["training"]["annealing"]["milestones"] == [2]
    folds = [replace(fold, seed=base, number=number) for base in range(4) for number in range(5)]
    assert len({scratch.settings(before, SCRATCH, each)["seed"] for each in folds}) == len(folds)
    assert scratch.settings(before, {**SCRATCH, "batch": 128}, fold)["training"]["batch"] == 16
