"""The learning curves of one run, with the paper's errors as dashed lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from zfrepro.tracking.description import element, is_full_size
from zfrepro.tracking.record import Config, Row

TRAIN, VAL, PAPER = "#0072b2", "#d55e00", "#555555"  # told apart by colour-blind readers too
PANELS = {"top1": "top-1 error (%)", "top5": "top-5 error (%)", "loss": "cross-entropy loss"}


mpl.rcParams["text.parse_math"] = False  # a `$` in a name is a letter


def draw(config: Config, epochs: Sequence[Row], path: Path) -> None:
    """Writes the learning curves to `path`."""
    learning_curves(config, epochs).savefig(path, dpi=100)


def learning_curves(config: Config, epochs: Sequence[Row]) -> Figure:
    """Three panels over epochs: top-1 error, top-5 error and loss, in training and validation."""
    figure = Figure(figsize=(12, 4.6))  # a constrained layout would draw all twice
    figure.subplots_adjust(left=0.05, right=0.99, top=0.89, bottom=0.3, wspace=0.17)
    for axes, (key, label) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        _panel(axes, key, epochs)
        _published(axes, key, config)
        axes.set(xlabel="epoch", ylabel=label)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), frameon=False, fontsize="small")
    figure.suptitle(f"{config['name']} · profile {config['profile']} · seed {config['seed']}")
    return figure


def _panel(axes: "Axes", key: str, epochs: Sequence[Row]) -> None:
    for split, name, colour in (("train", "training", TRAIN), ("val", "validation", VAL)):
        points = [
            (row["epoch"], row[f"{split}/{key}"]) for row in epochs if f"{split}/{key}" in row
        ]
        if points:
            last = f"{points[-1][1]:.2f}" if key == "loss" else f"{points[-1][1]:.1f} %"
            marker = "o" if len(points) < 3 else None
            axes.plot(
                *zip(*points, strict=True), color=colour, marker=marker, label=f"{name}, {last}"
            )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)


def _published(axes: "Axes", key: str, config: Config) -> None:
    """A dashed line at each published error; another task than the paper's is named as such."""
    where = "" if is_full_size(config) else " on ImageNet"
    for split, style in (("train", (0, (1, 2))), ("val", (0, (5, 3)))):
        value = config["paper"].get(f"{split}_{key}")
        if value is not None:
            name = "training" if split == "train" else "validation"
            label = f"paper's {element(config)}{where}, {name}, {value:.1f} %"
            axes.axhline(value, color=PAPER, linestyle=style, linewidth=1, label=label)
