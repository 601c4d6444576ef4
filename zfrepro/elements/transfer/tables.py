"""Tables 4 to 7: features of a pretrained network on other sets, ours beside the paper's.

Accuracies and average precisions in percent. Over folds: the mean, the standard deviation, and the
95 % interval of the mean by Nadeau and Bengio, as folds share images; none of fewer than three.
Over
the images of VOC, where there is one split: a bootstrap interval.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from zfrepro import paper, stats

ARMS = ("scratch", "pretrained")
FLOOR = "untrained"  # a classifier on the features of the same net before its training
BY = ["set", "arm", "classifier", "layer", "images_per_class"]
CLASSIFIERS = ("softmax", "logistic")  # of table 6


def summary(folds: pd.DataFrame, tested: Mapping[str, int]) -> pd.DataFrame:
    """One line for each of `BY` in a table of folds: mean, sd, low, high and how many folds.

    Args:
        tested: images per class that a fold tests, by set.
    """
    groups = folds.groupby(BY, dropna=False, sort=False)["accuracy"]
    rows = []
    for key, values in groups:
        line: dict[str, Any] = dict(zip(BY, key, strict=True))
        ratio = tested[line["set"]] / line["images_per_class"]
        rows.append(line | over_folds(values.to_numpy(), ratio, bounded=True))
    return pd.DataFrame(rows, columns=[*BY, "mean", "sd", "low", "high", "folds"])


def over_folds(
    values: npt.NDArray[np.float64], tested: float, *, bounded: bool = False
) -> dict[str, float]:
    """Mean, standard deviation, ends of the mean's 95 % interval, and their number.

    Args:
        tested: test images of a fold, by its training images.
        bounded: they are percentages, and so is the interval.
    """
    count = len(values)
    found = {"mean": float(values.mean()), "folds": count}
    if count < 2:
        return found | dict.fromkeys(("sd", "low", "high"), np.nan)
    _, low, high = stats.resampled_folds(values.tolist(), train=1, test=tested)
    low, high = np.clip([low, high], 0, 100) if bounded else (low, high)
    return found | {"sd": float(values.std(ddof=1)), "low": low, "high": high}


def caltech(name: str, folds: pd.DataFrame, tested: Mapping[str, int]) -> pd.DataFrame:
    """Table 4 or 5, `name`: methods in rows, training images per class in columns."""
    published = paper.table(name).set_index("row")
    counts = table_counts(name, folds)
    found = summary(folds, tested)
    lines = []
    ours_alone = [FLOOR] if (folds["arm"] == FLOOR).any() else []
    for row in [*published.index, *ours_alone]:
        line: dict[str, object] = {"row": row}
        theirs = published.loc[row] if row in published.index else {}
        for count in counts:
            given = {
                key: theirs.get(f"{kind}_{count}", np.nan)
                for key, kind in (("mean", "acc"), ("sd", "std"))
            }
            ours = found[(found["arm"] == row) & (found["images_per_class"] == count)]
            line |= _cells(f"acc_{count}", given, ours)
        lines.append(line)
    return pd.DataFrame(lines)


def table_counts(name: str, folds: pd.DataFrame) -> list[int]:
    """The paper's numbers of images per class and those that ours were trained on from scratch too.

    Others are figure 9's alone.
    """
    columns = map(str, paper.table(name))
    published = {int(column[4:]) for column in columns if column.startswith("acc_")}
    scratch = folds.loc[folds["arm"] == "scratch", "images_per_class"]
    return sorted(published | set(scratch.astype(int)))


def voc(found: pd.DataFrame) -> pd.DataFrame:
    """Table 6: a line for each class of the paper, then for each other of ours, then the mean.

    Args:
        found: columns classifier, class, ap, low and high.
    """
    published = paper.table("table6").set_index("class")
    others = [name for name in found["class"].unique() if name not in published.index]
    names = [*published.index.drop("mean"), *others, "mean"]
    table = published.reindex(names).rename(columns={"paper": "paper_softmax"})
    for classifier in CLASSIFIERS:
        ours = found[found["classifier"] == classifier].set_index("class").reindex(names)
        table[classifier] = ours["ap"]
        table[f"{classifier}_low"], table[f"{classifier}_high"] = ours["low"], ours["high"]
    return table.rename_axis("class").reset_index()


def layers(
    folds: pd.DataFrame, counts: Mapping[str, int], tested: Mapping[str, int]
) -> pd.DataFrame:
    """Table 7: classifiers and layers in rows, sets in columns.

    Args:
        counts: the training images per class of each set.
    """
    found = summary(folds[folds["arm"] != FLOOR], tested)
    lines = []
    for given in paper.table("table7").to_dict("records"):
        classifier, layer = given["classifier"], given["layer"]
        line: dict[str, object] = {"row": f"{classifier} on layer {layer}"}
        # the paper counts its layers: of the network here they are those of that number
        here = found["layer"].astype(str).str.fullmatch(rf"[a-z]+{layer}")
        for name, published in (("caltech101", "caltech101_30"), ("caltech256", "caltech256_60")):
            ours = found[(found["set"] == name) & (found["classifier"] == classifier) & here]
            ours = ours[ours["images_per_class"] == counts[name]]
            both = {"mean": given[published], "sd": given[f"{published}_std"]}
            line |= _cells(name, both, ours)
        lines.append(line)
    return pd.DataFrame(lines)


def _cells(name: str, given: Mapping[str, float], ours: pd.DataFrame) -> dict[str, object]:
    """The columns of one number: the paper's, then ours, which may be none."""
    line: dict[str, object] = {f"paper_{name}": given["mean"], f"paper_{name}_sd": given["sd"]}
    for key in ("mean", "sd", "low", "high", "folds"):
        column = name if key == "mean" else f"{name}_{key}"
        line[column] = ours[key].iloc[0] if len(ours) else np.nan
    return line


def gains(folds: pd.DataFrame, tested: int) -> pd.DataFrame:
    """Pretrained minus scratch on the same folds, one line for each number of images per class."""
    both = folds.pivot_table(index=["images_per_class", "fold"], columns="arm", values="accuracy")
    if not set(ARMS) <= set(both):
        return pd.DataFrame(columns=["images_per_class", "mean", "sd", "low", "high", "folds"])
    difference = (both["pretrained"] - both["scratch"]).dropna()
    rows = [
        {"images_per_class": count, **over_folds(values.to_numpy(), tested / float(str(count)))}
        for count, values in difference.groupby("images_per_class")
    ]
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The same with few columns, for people: a number, its deviation and its interval in one cell.

    Args:
        names: what people call each number of the table, by its column.
    """
    shown, lines = table.iloc[:, :1].copy(), table.to_dict("records")
    for name, title in names.items():
        shown[f"{title}, paper"] = [cell(line, f"paper_{name}") for line in lines]
        shown[f"{title}, here"] = [cell(line, name) for line in lines]
    return shown


def cell(line: Mapping[Hashable, float], name: str, sign: str = "") -> str:
    """`81.2 ± 0.9 [80.1, 82.3]`, as far as there are numbers."""
    columns = (name, f"{name}_sd", f"{name}_low", f"{name}_high")
    value, deviation, low, high = (line.get(column, np.nan) for column in columns)
    if np.isnan(value):
        return ""
    text = f"{value:{sign}.1f}" + ("" if np.isnan(deviation) else f" ± {deviation:.1f}")
    return text if np.isnan(low) else f"{text} [{low:{sign}.1f}, {high:{sign}.1f}]"


def gain_sentences(found: pd.DataFrame) -> list[str]:
    """`15 per class: +12.3 ± 1.2 [+10.1, +14.5]`, for each line of `gains`."""
    named = found.rename(columns={key: f"mean_{key}" for key in ("sd", "low", "high")})
    return [
        f"{line['images_per_class']:.0f} per class: " + cell(line, "mean", sign="+")
        for line in named.to_dict("records")
    ]
