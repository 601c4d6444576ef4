"""Table 7's classifiers on a GPU against the CPU's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zfrepro.devices import device_of
from zfrepro.transfer.coordinates import coordinates
from zfrepro.transfer.probe import accuracy
from zfrepro.transfer.protocol import Fold, Labels
from zfrepro.transfer.rows import Rows

CPU, GPU = torch.device("cpu"), device_of("gpu")
CLASSES, IMAGES = 12, 2400
FOLD = Fold(0, 0, 100, np.arange(1200), np.arange(1200, IMAGES))
LABELS = Labels(tuple(map(str, range(CLASSES))), np.arange(IMAGES) % CLASSES)


@pytest.fixture(params=[300, 20_000])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Features of a few numbers, which stay, and of more numbers than images, in two blocks."""
    rng = np.random.default_rng(0)
    levels = rng.normal(0, 3, (CLASSES, request.param))[LABELS.of_images]
    features = np.maximum(levels + rng.normal(5, 20, levels.shape), 0)
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    return tmp_path / "features.npy"


def whole(rows: Rows) -> torch.Tensor:
    return rows.times(torch.eye(rows.shape[1], device=rows.device)).cpu()


def test_coordinates_are_the_same(path: Path) -> None:
    here, there = (coordinates(path, FOLD.train, FOLD.test, each) for each in (CPU, GPU))
    assert there.train.device.type == "cuda"
    torch.testing.assert_close(whole(there.train), whole(here.train), rtol=0, atol=1e-4)


@pytest.mark.parametrize("classifier", ["svm", "softmax"])
def test_accuracies_are_the_same(path: Path, classifier: str) -> None:
    found = [accuracy(path, FOLD, LABELS, classifier, [0.1, 1, 10], each) for each in (CPU, GPU)]
    assert found[0][1] == found[1][1]
    assert found[0][0] == pytest.approx(found[1][0], abs=0.2)  # percent: two of 1,200 images
