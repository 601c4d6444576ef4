"""Average precision as the devkit has it: by hand, and against its loops written out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.transfer import target_sets
from zfrepro.data.store import StoreError
from zfrepro.transfer import voc


def devkits(scores: list[float], truth: list[int]) -> float:
    """VOCevalcls and VOCap of the devkit, line by line, in Python's floats."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])  # stable, as MATLAB's sort
    tp = fp = 0
    recall, precision = [0.0], [0.0]
    positives = sum(t > 0 for t in truth)
    for i in order:
        tp += truth[i] > 0
        fp += truth[i] < 0
        recall.append(tp / positives)
        precision.append(tp / (tp + fp) if tp + fp else 0.0)
    recall.append(1.0)
    precision.append(0.0)
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum(
        (recall[i] - recall[i - 1]) * precision[i]
        for i in range(1, len(recall))
        if recall[i] != recall[i - 1]
    )


def test_average_precision_by_hand() -> None:
    # by falling score: right, wrong, difficult, right, (tie:) wrong before right
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.3])
    truth = np.array([1, -1, 0, 1, -1, 1], np.int8)
    # recall 1/3 2/3 1; precision 1/1, 2/3, 3/5, each the best at that recall or a higher one
    expected = 100 * (1 + 2 / 3 + 3 / 5) / 3
    assert voc.average_precision(scores, truth) == pytest.approx(expected)
    assert devkits(scores.tolist(), truth.tolist()) == pytest.approx(expected / 100)
    # of the tied two the right one first: 3/4 at recall 1, and so at 2/3
    swapped = truth[[0, 1, 2, 3, 5, 4]]
    assert voc.average_precision(scores, swapped) == pytest.approx(100 * (1 + 3 / 4 + 3 / 4) / 3)
    # were the difficult image wrong: 1/1, 2/4, 3/6
    wrong = np.where(truth == 0, -1, truth).astype(np.int8)
    assert voc.average_precision(scores, wrong) == pytest.approx(100 * (1 + 1 / 2 + 1 / 2) / 3)


@pytest.mark.parametrize("seed", range(40))
def test_average_precision_is_the_devkits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = int(rng.integers(1, 60))
    scores = rng.integers(0, 1 + images // 2, images) / 7  # many ties
    truth = rng.choice([-1, 0, 1], images, p=[0.5, 0.2, 0.3]).astype(np.int8)
    truth[rng.integers(images)] = 1
    expected = 100 * devkits(scores.tolist(), truth.tolist())
    np.testing.assert_allclose(voc.average_precision(scores, truth), expected, rtol=1e-12)


def test_a_weight_is_an_image_that_often() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.random(30), rng.choice([-1, 0, 1], 30).astype(np.int8)
    weights = rng.integers(0, 3, (4, 30)).astype(float)
    found = voc.average_precision(scores, truth, weights)
    for row, ap in zip(weights.astype(int), found, strict=True):
        # copies share a score, and come one after the other: in one step of the curve each
        order = np.argsort(-scores, kind="stable")
        copies = [(scores[i], truth[i]) for i in order for _ in range(row[i])]
        steps = devkits(*map(list, zip(*copies, strict=True)))  # type: ignore[arg-type]
        assert ap == pytest.approx(100 * steps, abs=3)  # within a step, precision is its end's
    once = voc.average_precision(scores, truth, np.ones((1, 30)))
    assert once == pytest.approx(voc.average_precision(scores, truth))


def test_intervals_hold_the_number_and_narrow_with_images() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for images in (60, 960):
        truth = rng.choice([-1, 1], (images, 3)).astype(np.int8)
        scores = (truth + rng.normal(0, 1.5, truth.shape)).astype(np.float32)
        found = voc.interval(scores, truth)
        assert (found["low"] < found["ap"]).all()
        assert (found["ap"] < found["high"]).all()
        assert found["ap"].iloc[-1] == pytest.approx(found["ap"].iloc[:-1].mean())
        widths.append((found["high"] - found["low"]).mean())
    assert widths[0] > 2.5 * widths[1]  # 4, by the root of 16


def test_presence_comes_in_the_order_of_the_splits(tmp_path: Path) -> None:
    prepared = target_sets.voc(tmp_path / "voc2012", images=8)
    path = tmp_path / "voc2012" / "objects.parquet"
    objects = pd.read_parquet(path)
    found = voc.presence(prepared, ["val", "train"])
    for row, split in ((0, "val"), (8, "train")):
        of_split = objects[objects["split"] == split]
        expected = of_split[list(target_sets.OBJECTS)].to_numpy()
        np.testing.assert_array_equal(found[row : row + 8], expected)
    objects.iloc[::-1].to_parquet(path)  # the order of the file is nothing to go by
    np.testing.assert_array_equal(voc.presence(prepared, ["val", "train"]), found)
    objects.iloc[1:].to_parquet(path)
    with pytest.raises(StoreError, match="is of other images than split train"):
        voc.presence(prepared, ["train"])
    path.unlink()
    with pytest.raises(StoreError, match="prepare@voc2012"):
        voc.presence(prepared, ["train"])


def test_results_files_keep_the_order_of_the_scores(tmp_path: Path) -> None:
    scores = np.array([[0.1, 0.5], [np.nextafter(np.float32(0.1), np.float32(1)), 0.25]])
    paths = ["JPEGImages/2008_000001.jpg", "JPEGImages/2008_000007.jpg"]
    voc.write_results(tmp_path, "val", ["bird", "boat"], paths, scores.astype(np.float32))
    lines = (tmp_path / "comp1_cls_val_bird.txt").read_text().splitlines()
    (one, first), (other, second) = (line.split() for line in lines)
    assert (one, other) == ("2008_000001", "2008_000007")
    assert float(first) < float(second)
    assert (
        tmp_path / "comp1_cls_val_boat.txt"
    ).read_text() == "2008_000001 0.5\n2008_000007 0.25\n"


def test_results_are_written_nowhere_else(tmp_path: Path) -> None:
    scores = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match=r"class 'x/\.\./\.\./y'"):
        voc.write_results(tmp_path / "a" / "b", "val", ["x/../../y"], ["1.jpg"], scores)
    assert not list(tmp_path.iterdir())
