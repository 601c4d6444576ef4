"""Tables 2 and 3 from stored predictions, against sums over the same predictions."""

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import torch

from zfrepro import config, paper
from zfrepro.elements.errors import tables as networks
from zfrepro.elements.errors.tables import FIVE, TEST5, TOP1, TOP5, TRAIN, WIDE, Networks
from zfrepro.inference import predictions

IMAGES, CLASSES = 200, 8
LABELS = torch.arange(IMAGES) % CLASSES


def scores(experiment: str, split: str) -> torch.Tensor:
    """Probabilities (IMAGES, CLASSES) that are right more often than not."""
    generator = torch.Generator().manual_seed(crc32(f"{experiment} {split}".encode()))
    logits = torch.randn(IMAGES, CLASSES, generator=generator)
    logits[torch.arange(IMAGES), LABELS] += 1.5
    return logits.softmax(1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    for seed, name in enumerate(config.options("experiment")):
        run = root / "runs" / name
        run.mkdir(parents=True)
        recipe = {"parameters": 1000 + seed, "seed": seed, "fingerprint": f"{seed:016}"}
        (run / "run.json").write_text(json.dumps(recipe))
        (run / "metrics.json").write_text(json.dumps({"epochs": 4}))
        for split in ("train", "val"):
            path = root / "predictions" / name / f"{split}_ten.parquet"
            with predictions.writer(path, CLASSES) as out:
                names = [f"{i:03}.png" for i in range(IMAGES)]
                out.add(names, LABELS.numpy(), scores(name, split).numpy())
    return root


def error(probabilities: torch.Tensor, at: int) -> float:
    best = probabilities.argsort(1, descending=True)[:, :at]
    return 100 * (best != LABELS[:, None]).all(1).double().mean().item()


def test_table3_has_every_row_in_the_papers_order(results: Path) -> None:
    metrics = (TRAIN, TOP1, TOP5)
    table = Networks(results).build("table3", networks.table3(), metrics)
    published = paper.table("table3")
    assert table["row"].tolist() == published["experiment"].tolist()
    assert table["row"].isin(config.options("experiment")).all()
    for _, line in table.iterrows():
        for metric in metrics:
            expected = error(scores(line["row"], metric.split), metric.at)
            assert line[metric.name] == pytest.approx(expected)
            assert line[f"{metric.name}_low"] <= expected <= line[f"{metric.name}_high"]
        assert line["epochs"] == 4
    zfnet = table.set_index("row").loc["tab3_zfnet"]
    assert zfnet["paper_train_top1"] == 33.1
    recipe = json.loads((results / "runs" / "tab3_zfnet" / "run.json").read_text())
    assert zfnet["fingerprint"] == recipe["fingerprint"]
    assert pd.isna(zfnet["change"])


def test_changes_are_against_the_whole_net_on_the_same_images(results: Path) -> None:
    table = Networks(results).build("table3", networks.table3(), (TOP1,)).set_index("row")
    for name, base in (("tab3_no_fc7", "tab3_alexnet"), ("tab3_zfnet_fc2048", "tab3_zfnet")):
        line = table.loc[name]
        expected = error(scores(name, "val"), 1) - error(scores(base, "val"), 1)
        assert line["change"] == pytest.approx(expected)
        assert line["change_low"] < expected < line["change_high"]
        pair = paper.table("table3").set_index("experiment")["val_top1"]
        assert line["paper_change"] == pytest.approx(pair[name] - pair[base])


def test_table2_averages_seeds_and_probabilities(results: Path) -> None:
    table = Networks(results).build("table2", networks.table2(), (TOP1, TOP5, TEST5))
    assert table["row"].tolist() == paper.table("table2")["row"].tolist()
    lines = table.set_index("row")
    each = [error(scores(name, "val"), 1) for name in FIVE]
    one = lines.loc["zfnet_1_convnet"]
    assert one["val_top1"] == pytest.approx(np.mean(each))
    assert one["val_top1_sd"] == pytest.approx(np.std(each, ddof=1))
    assert len(one["seeds"].split()) == len(one["fingerprint"].split()) == 5
    for row, members in (
        ("zfnet_5_convnets_a", FIVE),
        ("zfnet_6_convnets_a_and_b", (*FIVE, WIDE)),
    ):
        mean = torch.stack([scores(name, "val") for name in members]).mean(0)
        assert lines.loc[row, "val_top1"] == pytest.approx(error(mean, 1))
        assert lines.loc[row, "val_top5"] == pytest.approx(error(mean, 5))
        assert lines.loc[row, "change"] == pytest.approx(error(mean, 1) - np.mean(each))
        recipes = [json.loads((results / "runs" / n / "run.json").read_text()) for n in members]
        assert lines.loc[row, "parameters"] == sum(r["parameters"] for r in recipes)
    assert lines.loc["zfnet_5_convnets_a", "paper_test_top5"] == 15.3
    assert lines["test_top5"].isna().all()  # these images have no labelled test set


def test_rows_that_only_the_paper_has_stay_without_ours(results: Path) -> None:
    table = Networks(results).build("table2", networks.table2(), (TOP1, TOP5))
    cited = table.set_index("row").loc["krizhevsky_5_convnets"]
    assert cited["paper_val_top1"] == 38.1
    assert cited.drop([c for c in cited.index if c.startswith("paper_")]).isna().all()


def test_the_readable_table_has_an_interval_in_each_cell(results: Path) -> None:
    metrics = (TOP1, TOP5)
    table = Networks(results).build("table2", networks.table2(), metrics)
    shown = networks.readable(table, metrics).set_index("row")
    cell = shown.loc["zfnet_1_convnet", "val top-1, here"]
    line = table.set_index("row").loc["zfnet_1_convnet"]
    assert cell.startswith(f"{line['val_top1']:.1f} [{line['val_top1_low']:.1f}, ")
    assert cell.endswith(f"], seeds ±{line['val_top1_sd']:.1f}")
    assert shown.loc["gunji_2012", "val top-1, here"] == ""


def test_a_users_own_classes_stand_beside_no_published_number(results: Path) -> None:
    metrics = (TOP1, TOP5)
    table = Networks(results, published=False).build("table2", networks.table2(), metrics)
    assert len(table) == 5  # rows that others have measured are left out
    assert table.filter(like="paper").isna().all(axis=None)
    assert not [name for name in networks.readable(table, metrics) if "paper" in name]
    cfg = config.compose_experiment("tab3_zfnet", ["profile=folder"])
    assert {cfg["paper"][key] for key in ("train_top1", "val_top1", "val_top5")} == {None}
    cfg = config.compose_experiment("tab3_zfnet", ["profile=miniature"])
    assert cfg["paper"]["val_top1"] == 38.4
