"""Which classes a network takes for which: a confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfrepro.files import atomic_path
from zfrepro.render.style import plt

NAMED = 40  # classes: more names than this are no longer legible
LETTER = 0.065  # inches, of a name


def confusion(path: Path, classes: int) -> npt.NDArray[np.int64]:
    """(classes, classes): images of a row's class that were taken for the column's.

    Args:
        path: predictions of stage `evaluate`.
    """
    table = pq.ParquetFile(path).read(["label", "top5"])
    best = table["top5"].combine_chunks()
    guesses = best.flatten().to_numpy()[best.offsets.to_numpy()[:-1]]
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (table["label"].to_numpy(), guesses), 1)
    return counts


def draw(counts: npt.NDArray[np.int64], names: Sequence[str], path: Path, title: str) -> None:
    """Draws shares of each true class (a row), as a PNG."""
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    few = len(names) <= NAMED
    square = 0.27 * len(names) + 0.5 if few else 7.5
    edge = 0.6 + (LETTER * max(map(len, names)) if few else 0.2)
    figure, (axis, bar) = _axes(square, edge)
    image = axis.imshow(shares, vmin=0, vmax=100, cmap="Blues", interpolation="nearest")
    if few:
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        for row, column in np.argwhere(shares >= 1):
            value = shares[row, column]
            colour = "white" if value > 60 else "black"
            axis.text(
                column, row, f"{value:.0f}", ha="center", va="center", fontsize=6, color=colour
            )
    axis.set(xlabel="taken for", ylabel="true class", title=title)
    figure.colorbar(image, cax=bar, label="share of the true class (%)")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


def _axes(square: float, edge: float) -> tuple[Figure, tuple[Axes, Axes]]:
    """A square of so many inches with room for names at its left and below, and a colour bar.

    A layout that matplotlib finds costs as much as the picture itself, for every network.
    """
    width, height = edge + square + 1.2, edge + square + 0.5
    figure = plt.figure(figsize=(width, height))
    axis = figure.add_axes((edge / width, edge / height, square / width, square / height))
    left, low = edge + square + 0.2, edge + 0.15 * square
    bar = figure.add_axes((left / width, low / height, 0.2 / width, 0.7 * square / height))
    return figure, (axis, bar)
