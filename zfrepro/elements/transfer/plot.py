"""Draws figure 9: accuracy on Caltech-256 against the number of training images of each class."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from zfrepro import paper
from zfrepro.render.style import OURS, PAPER, plt, save

PUBLISHED = {  # rows of table 5: how the figure shows them
    "pretrained": ("paper, pretrained", "o", "-"),
    "bo_2013": ("Bo et al. 2013", "^", ":"),
    "sohn_2011": ("Sohn et al. 2011", "v", ":"),
    "scratch": ("paper, from scratch", "s", "--"),
}
SHOWN = {
    "pretrained": ("pretrained", "o", "-", OURS),
    "scratch": ("from scratch", "s", "--", "#d55e00"),
    "untrained": ("features before the training", "D", ":", "#7f7f7f"),
}


def published() -> pd.DataFrame:
    """Table 5 as columns row, images_per_class, mean and sd."""
    table = paper.table("table5").set_index("row")
    counts = [int(name[4:]) for name in map(str, table) if name.startswith("acc_")]
    return pd.DataFrame([
        {
            "row": row, "images_per_class": count, "mean": table.loc[row, f"acc_{count}"],
            "sd": table.loc[row, f"std_{count}"],
        }
        for row in table.index for count in counts
    ])  # fmt: skip


def draw(found: pd.DataFrame, path: Path, title: str) -> None:
    """Two panels of the same scale, the paper's Caltech-256 and the images here.

    Args:
        found: columns arm, images_per_class, mean and sd; may be empty.
    """
    figure, axes = plt.subplots(
        1, 2, figsize=(10, 4.4), sharex=True, sharey=True, layout="constrained"
    )
    theirs = published()
    for row, (label, marker, line) in PUBLISHED.items():
        curve = theirs[theirs["row"] == row]
        colour = "#5b6672" if row in SHOWN else PAPER
        _curve(axes[0], curve, colour, label, marker, line)
    for arm, (label, marker, line, colour) in SHOWN.items():
        curve = found[found["arm"] == arm].sort_values("images_per_class")
        if len(curve):
            _curve(axes[1], curve, colour, label, marker, line)
    axes[0].set_title("the paper, on Caltech-256", fontsize=10)
    axes[1].set_title(title, fontsize=10)
    axes[0].set_ylabel("mean accuracy of the classes (%)")
    for axis in axes:
        axis.set(xlabel="training images per class", xlim=(0, None), ylim=(0, 100))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        if axis.has_data():
            axis.legend(frameon=False, fontsize=8, loc="lower right")
    save(figure, path)


def _curve(
    axis: Axes, curve: pd.DataFrame, colour: str, label: str, marker: str, line: str
) -> None:
    """Points with bars of one standard deviation."""
    axis.errorbar(
        curve["images_per_class"], curve["mean"], yerr=curve["sd"], color=colour, marker=marker,
        markersize=5, linestyle=line, capsize=2, label=label,
    )  # fmt: skip


def overtaken(found: pd.DataFrame) -> str:
    """From how many images per class the pretrained net beats the other at the most it had."""
    lines = found.sort_values("images_per_class").to_dict("records")
    scratch = [line for line in lines if line["arm"] == "scratch"]
    if not scratch:
        return "no network was trained from scratch"
    most = scratch[-1]
    against = (
        f"the same net from scratch with {most['images_per_class']:.0f} ({most['mean']:.1f} %)"
    )
    for line in lines:
        if line["arm"] == "pretrained" and line["mean"] > most["mean"]:
            return (
                f"the pretrained network beats {against} from {line['images_per_class']:.0f} "
                f"images per class on ({line['mean']:.1f} %)"
            )
    return f"with no number of images per class does the pretrained network beat {against}"
