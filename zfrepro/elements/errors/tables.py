"""Tables 2 and 3: the errors of every network and ensemble, ours beside the paper's.

All errors are in percent and of ten crops averaged. Each has a 95 % bootstrap interval over images
(how far another draw of as many images could move it); where several seeds were trained there is
also their standard deviation. `change` compares a row with its base on the same images.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev

import numpy as np
import pandas as pd

from zfrepro import paper, stats
from zfrepro.elements.settings import NETWORK, SEEDS
from zfrepro.inference import predictions
from zfrepro.inference.predictions import Shares
from zfrepro.results import read_recipe
from zfrepro.stats import Interval

FIVE = (NETWORK, *SEEDS)
WIDE = "tab3_zfnet_conv345_wide"
BASES = {"alexnet": "tab3_alexnet", "zfnet": "tab3_zfnet"}  # of table 3, by its column `base`


@dataclass(frozen=True)
class Metric:
    """An error of a table: its column in the paper's, and the predictions that give it."""

    name: str
    split: str
    at: int


TRAIN, TOP1, TOP5, TEST5 = (
    Metric("train_top1", "train", 1),
    Metric("val_top1", "val", 1),
    Metric("val_top5", "val", 5),
    Metric("test_top5", "test", 5),
)


@dataclass(frozen=True)
class Row:
    """A row of a table and the experiments it is made of: none where only the paper has it."""

    name: str
    members: tuple[str, ...]
    base: str | None = None  # the row that it is compared with
    ensemble: bool = False  # the members' probabilities are averaged; else their errors


def table2() -> list[Row]:
    """Single nets, and ensembles of nets that were trained for themselves (section 5.1)."""
    one = "zfnet_1_convnet"
    ours = {
        "krizhevsky_replication_1_convnet": Row("", ("tab3_alexnet",), one),
        one: Row("", FIVE),
        "zfnet_5_convnets_a": Row("", FIVE, one, ensemble=True),
        "zfnet_wide_1_convnet_b": Row("", (WIDE,), one),
        "zfnet_6_convnets_a_and_b": Row("", (*FIVE, WIDE), one, ensemble=True),
    }
    cited = Row("", ())
    names = paper.table("table2")["row"]
    rows = [(name, ours.get(name, cited)) for name in names]
    return [Row(name, row.members, row.base, row.ensemble) for name, row in rows]


def table3() -> list[Row]:
    """AlexNet and ZFNet with layers removed or resized, each against the whole net."""
    published = paper.table("table3")
    rows = zip(published["experiment"], published["base"], strict=True)
    return [
        Row(name, (name,), None if name in BASES.values() else BASES[base]) for name, base in rows
    ]


class Networks:
    """What the stages before left of each experiment.

    Args:
        results: the folder `results/`, with `runs/` and `predictions/`.
        published: whether the paper's numbers and rows stand beside ours.
    """

    def __init__(self, results: Path, *, published: bool = True) -> None:
        self._results, self._published = results, published

    def build(self, table: str, rows: Sequence[Row], metrics: Sequence[Metric]) -> pd.DataFrame:
        """The table's rows with all columns; ensembles are written to `ensembles/` on the way."""
        by_name = {row.name: row for row in rows}
        published = paper.table(table).set_index(paper.table(table).columns[0])
        if not self._published:
            rows = [row for row in rows if row.members]
            published = pd.DataFrame(np.nan, published.index, published.columns)
        lines = []
        for row in rows:
            line = self._facts(row)
            for metric in metrics:
                line[f"paper_{metric.name}"] = published.loc[row.name, metric.name]
                line |= self._error(row, metric)
            if row.base is not None:
                line |= self._change(row, by_name[row.base], published[TOP1.name])
            lines.append(line)
        frame = pd.DataFrame(lines, columns=columns(metrics))
        return frame.astype({"parameters": "Int64", "epochs": "Int64"})

    def _facts(self, row: Row) -> dict[str, object]:
        if not row.members:
            return {"row": row.name}
        runs = [self._results / "runs" / name for name in row.members]
        recipes = [read_recipe(run) for run in runs]
        epochs = {json.loads((run / "metrics.json").read_text())["epochs"] for run in runs}
        parameters = [recipe["parameters"] for recipe in recipes]
        return {
            "row": row.name,
            "parameters": sum(parameters) if row.ensemble else parameters[0],
            "epochs": max(epochs),
            "seeds": " ".join(str(recipe["seed"]) for recipe in recipes),
            "fingerprint": " ".join(recipe["fingerprint"] for recipe in recipes),
        }

    def _error(self, row: Row, metric: Metric) -> dict[str, float]:
        if not self._is_measured(row, metric):
            return {}
        interval = stats.bootstrap_shares(self._shares(row, metric))
        line = _ends(metric.name, interval)
        if len(row.members) > 1 and not row.ensemble:
            each = [100 * self._wrong(name, metric).mean() for name in row.members]
            line[f"{metric.name}_sd"] = stdev(each)
        return line

    def _is_measured(self, row: Row, metric: Metric) -> bool:
        """Not where the row is the paper's alone, the images have no labelled test set, or there
        are too few classes for such an error.
        """
        if not row.members:
            return False
        path = self._predictions(row.members[0], metric)
        if metric.split == "test" and not path.is_file():
            return False
        return predictions.says_something(path, metric.at)

    def _change(self, row: Row, base: Row, published: "pd.Series[float]") -> Mapping[str, float]:
        line = {"paper_change": published[row.name] - published[base.name]}
        if not row.members:
            return line
        # image by image: what both get wrong says nothing on their difference
        difference = self._shares(row, TOP1) - self._shares(base, TOP1)
        return line | _ends("change", stats.bootstrap_shares(difference))

    def _shares(self, row: Row, metric: Metric) -> Shares:
        """(N,): the share of the row's nets that is wrong on each image."""
        if row.ensemble:
            return predictions.wrong(self._ensemble(row, metric), metric.at)
        each = np.stack([self._wrong(name, metric) for name in row.members])
        mean: Shares = each.mean(0)
        return mean

    def _wrong(self, name: str, metric: Metric) -> Shares:
        return predictions.wrong(self._predictions(name, metric), metric.at)

    def _predictions(self, name: str, metric: Metric) -> Path:
        return self._results / "predictions" / name / f"{metric.split}_ten.parquet"

    def _ensemble(self, row: Row, metric: Metric) -> Path:
        path = self._results / "ensembles" / f"{row.name}_{metric.split}_ten.parquet"
        if not path.is_file():
            predictions.average([self._predictions(name, metric) for name in row.members], path)
        return path


def columns(metrics: Sequence[Metric]) -> list[str]:
    ours = [
        column
        for metric in metrics
        for column in (f"paper_{metric.name}", *_names(metric.name), f"{metric.name}_sd")
    ]
    change = ["paper_change", *_names("change")]
    return ["row", "parameters", "epochs", "seeds", *ours, *change, "fingerprint"]


def readable(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """The same with few columns, for people: an error and its interval in one cell."""
    shown = table[["row", "parameters", "epochs", "seeds"]].copy()
    for metric in metrics:
        label = metric.name.replace("_top", " top-")
        shown[f"{label}, paper"] = table[f"paper_{metric.name}"]
        shown[f"{label}, here"] = [_cell(line, metric.name) for _, line in table.iterrows()]
    shown["val top-1 against base, paper"] = table["paper_change"]
    shown["here "] = [_cell(line, "change") for _, line in table.iterrows()]
    shown["fingerprint"] = [_short(value) for value in table["fingerprint"]]
    empty = [name for name in map(str, shown) if "paper" in name and shown[name].isna().all()]
    return shown.drop(columns=empty)


def _cell(line: "pd.Series[float]", name: str) -> str:
    if pd.isna(line[name]):
        return ""
    sign = "+" if name == "change" else ""
    spread = line.get(f"{name}_sd", np.nan)
    seeds = "" if pd.isna(spread) else f", seeds ±{spread:.1f}"
    low, high = line[f"{name}_low"], line[f"{name}_high"]
    return f"{line[name]:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]{seeds}"


def _short(value: object) -> str:
    return "" if pd.isna(value) else " ".join(word[:8] for word in str(value).split())  # type: ignore[call-overload]


def _names(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return dict(zip(_names(name), interval, strict=True))
