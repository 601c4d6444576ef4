"""What our results say of the claims that tables 4 to 7 and figure 9 make.

Folds are drawn anew, paired where both arms had the same. They share images: their intervals are
those of Nadeau and Bengio (`stats.resampled_folds`), and of fewer than three folds there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from zfrepro import paper, stats
from zfrepro.elements.measures import given
from zfrepro.elements.transfer.tables import ARMS, FLOOR
from zfrepro.outcome import Control, Measure, Part, UntestedError, only
from zfrepro.results import Results
from zfrepro.stats import Interval
from zfrepro.transfer.protocol import proportionate

BEFORE = "features of the same network before its training"


def gain(name: str, table: str, results: Results) -> Measure:
    """Pretrained minus scratch on the folds of the latter, for each number of training images.

    The numbers that decide are those that are as few beside the source's images per class as the
    paper's are beside ImageNet's; the others stand in the note.
    """
    folds = results.table(f"transfer/{name}/folds.csv").set_index(["images_per_class", "fold"])
    scratch, pretrained = (folds.loc[folds["arm"] == arm, "accuracy"] for arm in ARMS)
    gains = pretrained.reindex(scratch.index) - scratch
    counts = gains.index.get_level_values("images_per_class")
    by_count = {int(count): list(gains[counts == count]) for count in counts.unique()}
    expected = _proportionate(_paper_gains(table), results)
    deciding = {count: by_count[count] for count in sorted(expected.keys() & by_count.keys())}
    if not deciding:
        raise UntestedError(f"no fold of {name} has {' or '.join(map(str, expected))} per class")
    parts = tuple(
        Part(
            f"{count} images per class",
            over_folds(values, name, count, results),
            over_folds(values, name, count, results, 1 - 0.05 / len(deciding)),
            expected[count],
        )
        for count, values in deciding.items()
    )
    every = {n: over_folds(values, name, n, results) for n, values in sorted(by_count.items())}
    note = "per class " + "; ".join(f"{n}: {interval}" for n, interval in every.items())
    if missing := sorted(expected.keys() - by_count.keys()):
        note += f"; not measured here: {', '.join(map(str, missing))}"
    count = min((len(values) for values in by_count.values()), default=0)
    control = None
    before = folds.loc[folds["arm"] == FLOOR, "accuracy"]
    if deciding and len(before):
        most = max(deciding)  # of training images: there random features are worth the most
        control = against_floor(
            pretrained.xs(most), before.xs(most), scratch.xs(most), name, most, results
        )
    return Measure(parts, "folds", count, _networks(results), note=note, control=control)


def against_floor(
    ours: pd.Series[float], floor: pd.Series[float], base: pd.Series[float], name: str, count: int,
    results: Results,
) -> Control:  # fmt: skip
    """What the untrained network's features gain on `base`, and what ours gain on them, by fold."""
    alone, beyond = (
        over_folds(list((one - other).dropna()), name, count, results)
        for one, other in ((floor, base), (ours, floor))
    )
    return Control(f"{BEFORE}, {count} images per class", alone, beyond)


def _paper_gains(table: str) -> dict[int, float]:
    """By training images per class."""
    columns = [name for name in map(str, paper.table(table)) if name.startswith("acc_")]
    return {
        int(name[4:]): given(table, "pretrained", name) - given(table, "scratch", name)
        for name in columns
    }


def _proportionate(gains: Mapping[int, float], results: Results) -> dict[int, float]:
    """The paper's gains by the numbers of training images that are as few beside our source's."""
    data = results.run(*_networks(results))["data"]
    per_class = data["splits"]["train"]["images"] / len(data["classes"])
    found: dict[int, float] = {}
    for count, gain_ in gains.items():
        found.setdefault(proportionate(count, per_class), gain_)
    return found


def _accuracies(folds: pd.DataFrame, arm: str, count: int) -> list[float]:
    mine = folds[(folds["arm"] == arm) & (folds["images_per_class"] == count)]
    if mine.empty:
        raise UntestedError(f"no fold has {count} images per class, {arm}")
    return list(mine["accuracy"])


class Rival(NamedTuple):
    """An accuracy that the paper cites, on images of a real set."""

    name: str  # of the set
    table: str
    row: str
    column: str


def rival(against: Rival, count: int, results: Results) -> Measure:
    """Pretrained with `count` images per class minus a published accuracy."""
    cited = _cited(against, results)
    folds = results.table(f"transfer/{against.name}/folds.csv")
    mine = _accuracies(folds, "pretrained", count)
    found = over_folds([value - cited for value in mine], against.name, count, results)
    column = f"acc_{count}"  # of which figure 9 has more than table 5
    printed = column in paper.table(against.table)
    expected = given(against.table, "pretrained", column) - cited if printed else None
    parts = only(found, expected)
    return Measure(parts, "folds", len(mine), _networks(results))


def _cited(against: Rival, results: Results) -> float:
    """The published number, where our images are those of the set."""
    here = results.settings(f"sets/{against.name}")["name"]
    if here != against.name:
        images = f"measured here on {here}" if here else "this profile has no such set"
        raise UntestedError(f"cited on {against.name}, {images}")
    return given(against.table, against.row, against.column)


def voc(results: Results) -> Measure:
    """The best cited minus our mean average precision; the note says on how many classes we win."""
    cited = _cited(Rival("voc2012", "table6", "mean", "yan_2012"), results)
    table = results.table("transfer/voc2012/average_precision.csv")
    mine = table[table["classifier"] == "softmax"].set_index("class")
    value, low, high = map(float, mine.loc[["mean"], ["ap", "low", "high"]].to_numpy()[0])
    ends = Interval(cited - value, cited - high, cited - low)
    scores = results.file("transfer/voc2012/scores.parquet")
    images = len(pd.read_parquet(scores, columns=["path"]))
    expected = cited - given("table6", "mean", "paper")
    tested = " and ".join(results.settings("transfer")["voc2012"]["test"])
    note = f"{_won(mine['ap'])}; tested on {tested}: the paper's test labels are not public"
    return Measure(only(ends, expected), "images", images, _networks(results), images, note)


def _won(found: pd.Series[float]) -> str:
    """On how many classes an average precision, by class, is above both cited ones."""
    published = paper.table("table6").set_index("class").drop("mean")
    best = published[["sande_2012", "yan_2012"]].max(axis=1)
    classes = best.index.intersection(found.index)
    return f"ahead on {(found[classes] > best[classes]).sum()} of {len(classes)} classes"


def depth(name: str, column: str, results: Results) -> Measure:
    """Points a layer that a linear SVM gains, by fold: the slope over layers 1 to 5 and 7."""
    table = results.table("probe/folds.csv")
    mine = table[(table["set"] == name) & (table["classifier"] == "svm")]
    if mine.empty:
        raise UntestedError(f"this profile has no {name}")
    by_fold, before = (
        mine[(mine["arm"] == FLOOR) == floor].pivot_table(
            index="fold", columns="layer", values="accuracy", sort=False
        )
        for floor in (False, True)
    )
    published = paper.table("table7").query("classifier == 'svm'")[column]
    means = {str(layer): float(accuracy) for layer, accuracy in by_fold.mean().items()}
    ends = (max(means, key=lambda layer: means[layer]), list(means)[-1])
    best, last = (f"{layer}, {means[layer]:.1f} %" for layer in ends)
    count = results.settings("transfer")["probe"]["images_per_class"][name]
    slopes, floor = (each.apply(_slope, axis=1, raw=True) for each in (by_fold, before))
    found = over_folds(list(slopes), name, count, results)
    parts, note = only(found, _slope(published)), f"best: {best}; last: {last}"
    control = None
    if len(floor):
        alone, beyond = (
            over_folds(list(each), name, count, results) for each in (floor, slopes - floor)
        )
        control = Control(BEFORE, alone, beyond)
    return Measure(parts, "folds", len(by_fold), _networks(results), note=note, control=control)


def over_folds(
    values: Sequence[float], name: str, count: int, results: Results, level: float = 0.95
) -> Interval:
    """Of folds of a set with `count` training images per class, and as many tested as it says."""
    protocol = results.settings("transfer")[name]
    shared = 0 if protocol["independent_folds"] else protocol["tested"]
    return stats.resampled_folds(values, train=count, test=shared, level=level)


def _slope(values: npt.ArrayLike) -> float:
    """Of the least-squares line through values at equal steps."""
    heights = np.asarray(values, dtype=np.float64)
    return float(np.polyfit(np.arange(len(heights)), heights, 1)[0])


def _networks(results: Results) -> tuple[str]:
    """The one whose features are used, and which is trained anew from random weights."""
    return (results.settings("transfer")["network"],)


CALTECH101 = Rival("caltech101", "table4", "jianchao_2009", "acc_30")
CALTECH256 = Rival("caltech256", "table5", "bo_2013", "acc_60")

MEASURES: Mapping[str, Callable[[Results], Measure]] = {  # what claims rest on
    "table4/scratch": partial(gain, "caltech101", "table4"),
    "table4/cited": partial(rival, CALTECH101, 30),
    "table5/scratch": partial(gain, "caltech256", "table5"),
    "table5/cited": partial(rival, CALTECH256, 60),
    "figure9/cited": partial(rival, CALTECH256, 6),
    "table6/cited": voc,
    "table7/caltech101": partial(depth, "caltech101", "caltech101_30"),
    "table7/caltech256": partial(depth, "caltech256", "caltech256_60"),
}
