"""Coordinates in the span of the training images, against the features themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zfrepro.transfer import coordinates as module
from zfrepro.transfer.classifiers import LOSSES, Linear, fit
from zfrepro.transfer.coordinates import RIDGE, coordinates
from zfrepro.transfer.rows import Rows

IMAGES, NUMBERS = 50, 300
TRAIN, TEST = np.arange(0, 50, 2), np.arange(1, 50, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    features = np.maximum(
        rng.normal(5 * (np.arange(IMAGES) % 3)[:, None], 20, (IMAGES, NUMBERS)), 0
    )
    features[4] = features[2]  # two of the training images are the same
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    return tmp_path / "features.npy"


def directly(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Centred and scaled, in double precision and all columns at once."""
    features = torch.from_numpy(np.load(path)).double()
    x, y = (features[rows] - features[TRAIN].mean(0) for rows in (TRAIN, TEST))
    length = x.square().sum(1).mean().sqrt()
    return x / length, y / length


def whole(rows: Rows) -> torch.Tensor:
    return rows.times(torch.eye(rows.shape[1]))


@pytest.mark.parametrize("rows", [4, 1024])  # in a block
def test_products_and_distances_are_kept(
    path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", rows)
    x, y = directly(path)
    for size in (1 << 10, 64 << 20):  # of five columns, and of all
        found = coordinates(path, TRAIN, TEST, size=size)
        assert found.train.shape == (25, 25)
        train = whole(found.train)
        assert train.square().sum(1).mean() == pytest.approx(1 + RIDGE, abs=1e-5)
        expected = x @ x.T + RIDGE * torch.eye(25)
        np.testing.assert_allclose(train @ train.T, expected, atol=1e-5)
        # weights that are the training images score another image by its products with them
        images = Linear(train.T, torch.zeros(25))
        np.testing.assert_allclose(found.scores(images), y @ x.T, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_classifier_scores_as_on_the_features(path: Path, loss: str) -> None:
    presence = np.where(TRAIN[:, None] % 3 == np.arange(3), 1, -1).astype(np.int8)
    x, y = directly(path)
    expected = fit(Rows.of(x), presence, LOSSES[loss], 10.0).scores(Rows.of(y))
    found = coordinates(path, TRAIN, TEST)
    scores = found.scores(fit(found.train, presence, LOSSES[loss], 10.0))
    np.testing.assert_allclose(scores, expected, atol=5e-3)


def test_few_numbers_stay_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "few.npy", rng.random((IMAGES, 7), dtype=np.float32))
    found = coordinates(tmp_path / "few.npy", TRAIN, TEST)
    x, y = directly(tmp_path / "few.npy")
    np.testing.assert_allclose(whole(found.train), x, atol=1e-5)
    same = Linear(torch.eye(7), torch.zeros(7))
    np.testing.assert_allclose(found.scores(same), y, atol=1e-5)


def test_a_dead_layer_gives_zeros(tmp_path: Path) -> None:
    for numbers in (7, NUMBERS):
        np.save(tmp_path / "dead.npy", np.zeros((IMAGES, numbers), np.float32))
        found = coordinates(tmp_path / "dead.npy", TRAIN, TEST)
        bias = torch.tensor([1.0, 2.0])
        model = Linear(torch.ones(found.train.shape[1], 2), bias)
        assert (found.scores(model) == bias.numpy()).all()
        assert whole(found.train).abs().max() <= 1.01 * RIDGE**0.5


def test_features_that_are_not_finite_are_refused(path: Path) -> None:
    features = np.load(path)
    features[TRAIN[3], 5] = np.nan
    np.save(path, features)
    with pytest.raises(ValueError, match=r"features\.npy: the features .* not finite"):
        coordinates(path, TRAIN, TEST)
