"""Tables 4 to 7 and figure 9 from folds whose numbers are written out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zfrepro.elements.transfer import plot
from zfrepro.elements.transfer import tables as transfer

FOLDS = pd.DataFrame([
    {"set": "caltech256", "arm": arm, "classifier": "softmax", "layer": layer, "fold": fold,
     "images_per_class": count, "accuracy": accuracy}
    for arm, layer, count, accuracies in (
        ("pretrained", "fc7", 6, (50.0, 52.0)),
        ("pretrained", "fc7", 60, (60.0, 64.0, 62.0)),
        ("scratch", np.nan, 60, (40.0, 42.0)),
    )
    for fold, accuracy in enumerate(accuracies)
])  # fmt: skip


TESTED = {"caltech101": 50, "caltech256": 25}


def test_folds_are_summed_up_as_they_share_images() -> None:
    found = transfer.over_folds(np.array([60.0, 64.0, 62.0]), 25 / 60)
    assert (found["mean"], found["sd"], found["folds"]) == (62, 2, 3)
    assert found["high"] - 62 == pytest.approx(4.303 * 2 * (1 / 3 + 25 / 60) ** 0.5, rel=1e-3)
    for few in ([60.0], [60.0, 64.0]):
        assert np.isnan(transfer.over_folds(np.array(few), 0.5)["low"])
    assert transfer.over_folds(np.array([99.0, 95.0, 97.0]), 2.0, bounded=True)["high"] == 100


def test_table_5_has_the_papers_rows_and_numbers() -> None:
    table = transfer.caltech("table5", FOLDS, TESTED).set_index("row")
    assert table.index.tolist() == ["sohn_2011", "bo_2013", "scratch", "pretrained"]
    assert table.loc["pretrained", "paper_acc_60"] == 74.2
    assert table.loc["pretrained", "acc_60"] == 62
    assert np.isnan(table.loc["bo_2013", "acc_60"])
    assert "acc_6" not in table  # figure 9's alone
    shown = transfer.readable(table.reset_index(), {"acc_60": "60 a class"})
    assert shown["60 a class, paper"].tolist()[2:] == ["38.8 ± 1.4", "74.2 ± 0.3"]
    assert shown["60 a class, here"].tolist()[3] == "62.0 ± 2.0 [54.5, 69.5]"


def test_gains_are_of_the_same_folds() -> None:
    found = transfer.gains(FOLDS, 25)  # 20 and 22; the third fold has no partner
    assert found[["images_per_class", "mean", "folds"]].to_numpy().tolist() == [[60, 21, 2]]
    (sentence,) = transfer.gain_sentences(found)
    assert sentence.startswith("60 per class: +21.0 ± 1.4")  # two folds have no interval
    assert "[" not in sentence
    assert transfer.gains(FOLDS[FOLDS["arm"] == "pretrained"], 25).empty


def test_table_6_keeps_the_papers_order_and_adds_other_classes() -> None:
    ours = pd.DataFrame({"classifier": "softmax", "class": ["bird", "robot", "mean"]})
    table = transfer.voc(ours.assign(ap=[70.0, 50.0, 60.0], low=40.0, high=80.0))
    names = table["class"].tolist()
    assert names[:3] == ["aeroplane", "bicycle", "bird"]
    assert names[-3:] == ["tvmonitor", "robot", "mean"]
    assert table.set_index("class").loc["bird", ["softmax", "paper_softmax"]].tolist() == [70, 88.4]


def test_table_7_puts_each_layer_in_its_row() -> None:
    folds = FOLDS.assign(classifier="svm", layer="conv3", set="caltech101", images_per_class=30)
    table = transfer.layers(folds, {"caltech101": 30, "caltech256": 60}, TESTED).set_index("row")
    assert table["caltech101"].dropna().index.tolist() == ["svm on layer 3"]
    assert table.loc["softmax on layer 7", "paper_caltech256"] == 72.6


def test_figure_9_says_from_where_on_the_network_is_ahead(tmp_path: Path) -> None:
    found = transfer.summary(FOLDS, TESTED)
    assert "beats the same net from scratch with 60 (41.0 %) from 6 images" in plot.overtaken(found)
    assert "no number" in plot.overtaken(found.assign(mean=[1.0, 2.0, 3.0]))
    plot.draw(found, tmp_path / "figure9", "here")
    plot.draw(found.iloc[:0], tmp_path / "empty", "here")
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".pdf"}
