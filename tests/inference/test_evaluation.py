"""Errors against a computation in a few lines, from the same weights and images."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from zfrepro.data.store import PreparedSet
from zfrepro.inference import predictions
from zfrepro.inference.evaluation import UnfitError, check_fit, evaluate, splits
from zfrepro.training import result
from zfrepro.training.archive import WeightsError
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


def error(path: Path, at: int) -> float:
    return float(100 * predictions.wrong(path, at).mean())


def test_centre_crop_errors_are_those_of_the_training(
    trained: Trained, fitted: Fitted, tiny: PreparedSet, folder: Path
) -> None:
    split, path = tiny.split("val"), folder / "val.parquet"
    evaluate(trained, split, np.arange(len(split)), {"centre": path})
    assert error(path, 1) == pytest.approx(fitted.history[-1]["val/top1"])
    assert "val/top5" not in fitted.history[-1]  # of four classes


def test_ten_crops_are_averaged(trained: Trained, tiny: PreparedSet, folder: Path) -> None:
    split = tiny.split("val")
    files = {view: folder / f"{view}.parquet" for view in ("ten", "centre")}
    evaluate(trained, split, np.arange(len(split)), files, batch=16)
    corners = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    images = split.read(np.arange(len(split)))
    views = torch.stack([
        torch.stack(
            [by_hand(trained, image, *at, flip) for at in corners for flip in (False, True)]
        )
        for image in images
    ])  # fmt: skip
    labels = torch.from_numpy(split.labels)
    for view, scores in (("ten", views.mean(1)), ("centre", views[:, 8])):
        wrong = 100 * (scores.argmax(1) != labels).double().mean().item()
        assert error(files[view], 1) == pytest.approx(wrong)
        rows = pq.read_table(files[view]).to_pylist()
        assert [row["path"] for row in rows] == split.paths
        assert [row["label"] for row in rows] == split.labels.tolist()
        for row, expected in zip(rows, scores, strict=True):
            assert row["probability"] == pytest.approx(expected[row["label"]].item(), abs=1e-5)
            assert row["top5"] == expected.argsort(descending=True).tolist()  # of four classes


def test_the_train_error_is_of_a_fixed_subset(tiny: PreparedSet) -> None:
    (val, all_of_val), (train, some) = splits(tiny)
    assert (val.name, train.name) == ("val", "train")
    assert all_of_val.tolist() == list(range(len(val)))
    assert len(set(some.tolist())) == len(val) < len(train)
    assert some.tolist() == sorted(some.tolist())
    assert some.tolist() == [*splits(tiny)][1][1].tolist()
    assert len(set(train.labels[some].tolist())) == len(tiny.classes)


def test_a_network_for_other_images_is_refused(trained: Trained, tiny: PreparedSet) -> None:
    check_fit(trained, tiny)
    with pytest.raises(UnfitError, match=r"images of 32 pixels, and those in .* have 64"):
        check_fit(replace(trained, image_size=32), tiny)
    with pytest.raises(UnfitError, match=r"knows 1 classes \(n0"):
        check_fit(replace(trained, classes=[("n0", "a")]), tiny)


@pytest.fixture
def weights(trained: Trained, folder: Path) -> Path:
    return folder / "weights.pt"


def test_a_cut_off_file_is_named(weights: Path) -> None:
    content = weights.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 100):
        weights.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"weights\.pt is cut off or no file of torch\.save"):
            load(weights)


def test_other_files_are_named(weights: Path, tmp_path: Path) -> None:
    content = torch.load(weights, weights_only=True)
    nan = torch.full_like(content["state_dict"]["conv1.bias"], math.nan)
    for change, message in (
        ({"format": None}, "written by an older zfrepro"),
        ({"format": 99}, r"written by a newer zfrepro \(format 99"),
        ({"state_dict": {}}, "is damaged"),
        ({"model": {"layers": 3}}, "is damaged"),
        ({"crop": 64}, "crops of 64 pixels of 64, for a net of 56"),
        ({"image_size": 50}, "crops of 56 pixels of 50"),
        ({"image_size": "64"}, "is damaged"),
        ({"mean": content["mean"][:56]}, r"a mean image torch\.float32 \(56, 64, 3\)"),
        ({"mean": content["mean"] * math.nan}, "mean has values that are not finite"),
        ({"mean": 3}, "is damaged"),
        ({"classes": content["classes"][:3]}, "3 names for 4 classes"),
        ({"precision": "8-bit"}, "precision '8-bit'"),
        ({"state_dict": {**content["state_dict"], "conv1.bias": nan}}, r"conv1\.bias has values"),
        ({"pytorch-lightning_version": "2.6.4"}, "a training that has not finished"),
    ):
        torch.save(content | change, tmp_path / "other.pt")
        with pytest.raises(WeightsError, match=message):
            load(tmp_path / "other.pt")
    torch.save(content["state_dict"], tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"no network of this project.*has conv1\.weight"):
        load(tmp_path / "other.pt")
    torch.save([1], tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="a list, not a dict"):
        load(tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError, match="is not there"):
        load(tmp_path / "none.pt")


class Payload:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_payload_is_refused_and_not_run(weights: Path, tmp_path: Path) -> None:
    content = torch.load(weights, weights_only=True)
    torch.save(content | {"classes": Payload(tmp_path / "ran")}, weights)
    with pytest.raises(WeightsError, match="is refused"):
        load(weights)
    assert not (tmp_path / "ran").exists()


def test_unknown_views_are_named() -> None:
    with pytest.raises(ValueError, match=r"'nine'.*centre or ten"):
        views("nine", 64, 56)
