"""Errors against a computation in a few lines, from the same weights and images."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from zfrepro.data.store import PreparedSet
from zfrepro.training import result
from zfrepro.training.evaluation import evaluate
from zfrepro.training.fit import Fitted, fit
from zfrepro.training.trained import Trained, load, views


@pytest.fixture
def fitted(tiny: PreparedSet, tiny_config: dict[str, Any], folder: Path) -> Fitted:
    tiny_config["training"] |= {"epochs": 6, "batch": 10}
    return fit(tiny_config, tiny, folder, lambda _: None)


@pytest.fixture
def trained(fitted: Fitted, tiny: PreparedSet, folder: Path) -> Trained:
    result.write(folder, fitted, tiny, crop=56)
    return load(folder / "weights.pt")


def by_hand(trained: Trained, image: Any, top: int, left: int, mirrored: bool) -> torch.Tensor:
    """The softmax of one view of one image, (classes,)."""
    centred = (torch.from_numpy(image).float() - trained.mean).permute(2, 0, 1)
    view = centred[:, top : top + 56, left : left + 56]
    view = torch.flip(view, [2]) if mirrored else view
    with torch.no_grad():
        return trained.net(view[None])[0].softmax(0)


def test_centre_crop_errors_are_those_of_the_training(
    trained: Trained, fitted: Fitted, tiny: PreparedSet, folder: Path
) -> None:
    places = views("centre", 64, 56)
    errors = evaluate(trained, tiny.split("val"), places, folder / "val.parquet")
    assert errors.images == 42
    assert errors.top1 == pytest.approx(fitted.history[-1]["val/top1"])
    assert errors.top5 == pytest.approx(fitted.history[-1]["val/top5"])


def test_ten_crops_are_averaged(trained: Trained, tiny: PreparedSet, folder: Path) -> None:
    split = tiny.split("val")
    errors = evaluate(trained, split, views("ten", 64, 56), folder / "val.parquet")
    corners = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    images = split.read(np.arange(len(split)))
    scores = torch.stack([
        torch.stack(
            [by_hand(trained, image, *at, flip) for at in corners for flip in (False, True)]
        ).mean(0)
        for image in images
    ])  # fmt: skip
    labels = torch.from_numpy(split.labels)
    assert errors.top1 == pytest.approx(100 * (scores.argmax(1) != labels).double().mean().item())
    rows = pq.read_table(folder / "val.parquet").to_pylist()
    assert [row["path"] for row in rows] == split.paths
    assert [row["label"] for row in rows] == split.labels.tolist()
    for row, expected in zip(rows, scores, strict=True):
        assert row["probability"] == pytest.approx(expected[row["label"]].item(), abs=1e-5)
        assert row["top5"] == expected.argsort(descending=True).tolist()  # of four classes


@pytest.mark.parametrize("content", [{"model": {}}, {"state_dict": {}}, {"model": {"layers": 3}}])
def test_a_file_without_a_network_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="holds no network of this project"):
        load(tmp_path / "weights.pt")


def test_unknown_views_are_named() -> None:
    with pytest.raises(ValueError, match=r"'nine'.*centre or ten"):
        views("nine", 64, 56)
