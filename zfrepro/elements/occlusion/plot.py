"""Draws figure 7: an image a row; what a grey square at each place does to its network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zfrepro.data.annotations import Box
from zfrepro.elements.occlusion.measure import Occluded
from zfrepro.render import mosaic
from zfrepro.render.style import plt, save

TILE = 96  # pixels of one projection
NAMED = 5  # most probable classes that have a colour of their own
TITLES = ("image, square, object's box", "(b) {layer}, strongest map", "(c) what that map sees",
          "(d) probability of\n{whose}", "(e) most probable class")  # fmt: skip

WIDTHS = (1, 1.15, 1.75, 1.15, 1)


@dataclass(frozen=True)
class Row:
    """One image.

    Args:
        pictures: the image, and those of other projections, (n, c, c, 3) between 0 and 1.
        projections: of the map for each of them, (n, c, c, 3).
        box: of the object, in pixels of the crop.
        classes: names of all classes.
    """

    pictures: npt.NDArray[np.float32]
    projections: npt.NDArray[np.float32]
    occluded: Occluded
    box: Box | None
    classes: Sequence[str]


def draw(
    rows: Sequence[Row], layer: str, path: Path, title: str, *, whose: str = "the true class"
) -> None:
    """Writes `path` in the formats of `style`.

    Args:
        whose: what the class is whose probability is drawn.
    """
    figure, axes = plt.subplots(
        len(rows), len(TITLES), figsize=(13.5, 2.35 * len(rows) + 0.6), squeeze=False,
        layout="constrained", gridspec_kw={"width_ratios": WIDTHS},
    )  # fmt: skip
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], facecolor="0.92")
    for axis, text in zip(axes[0], TITLES, strict=True):
        axis.set_title(text.format(layer=layer, whose=whose), fontsize=9)
    for line, row in zip(axes, rows, strict=True):
        _draw_row(figure, line, row)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def _draw_row(figure: Figure, axes: Sequence[Axes], row: Row) -> None:
    found = row.occluded
    _draw_image(axes[0], row)
    axes[0].set_ylabel(row.classes[found.label], fontsize=9)
    _heat(figure, axes[1], row, found.activation, None)
    axes[1].set_xlabel(f"map {found.map}; {found.clean_activation:.3g} uncovered", fontsize=7)
    _draw_projections(axes[2], row)
    _heat(figure, axes[3], row, found.probability, 1.0)
    axes[3].set_xlabel(f"{found.clean_probability:.2f} uncovered", fontsize=7)
    _draw_classes(axes[4], row)


def _draw_image(axis: Axes, row: Row) -> None:
    found = row.occluded
    image = row.pictures[0].copy()
    side = found.square.side
    # where covering costs the true class most
    down, across = np.unravel_index(found.probability.argmin(), found.probability.shape)
    top, left = found.rows[down], found.columns[across]
    image[top : top + side, left : left + side] = found.square.value / 255
    height, width = image.shape[:2]
    axis.imshow(image, extent=(0, width, height, 0), interpolation="nearest")
    _outline(axis, row.box)
    axis.set_xlabel("square where it costs most", fontsize=7)


def _draw_projections(axis: Axes, row: Row) -> None:
    """This image's projection with a frame, then the others'; each beside its picture."""
    contrasted = mosaic.signed(row.projections)
    pairs = [
        mosaic.beside(
            mosaic.enlarge(projection, TILE, smooth=True),
            mosaic.enlarge(picture, TILE, smooth=True),
            gap=2,
        )
        for projection, picture in zip(contrasted, row.pictures, strict=True)
    ]
    axis.imshow(mosaic.grid(pairs, 1 if len(pairs) == 1 else 2, gap=6), interpolation="none")
    axis.add_patch(
        Rectangle((-2, -2), 2 * TILE + 5, TILE + 3, fill=False, edgecolor="black", linewidth=1.5,
                  clip_on=False)
    )  # fmt: skip
    others = ", others: the map's strongest" if len(pairs) > 1 else ""
    axis.set_xlabel(f"framed: this image{others}", fontsize=7)
    axis.spines[:].set_visible(False)


def _heat(
    figure: Figure, axis: Axes, row: Row, values: npt.NDArray[np.float64], top: float | None
) -> None:
    drawn = axis.imshow(values, cmap="viridis", vmin=0, vmax=top, extent=_extent(row.occluded))
    _frame(axis, row)
    bar = figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.02)
    bar.ax.tick_params(labelsize=7)


def _draw_classes(axis: Axes, row: Row) -> None:
    """The commonest classes by number; the true one is the lightest."""
    found = row.occluded
    numbers, counts = np.unique(found.best, return_counts=True)
    common = [int(i) for i in numbers[np.argsort(-counts, kind="stable")] if i != found.label]
    named = [found.label, *common[: NAMED - 1]]
    shown = np.full(found.best.shape, len(named))
    for place, number in enumerate(named):
        shown[found.best == number] = place
    shades = plt.get_cmap("viridis")(np.linspace(1, 0, len(named) + 1))
    axis.imshow(
        shown, cmap=ListedColormap(shades), vmin=-0.5, vmax=len(named) + 0.5,
        extent=_extent(found), interpolation="nearest",
    )  # fmt: skip
    _frame(axis, row, "red")
    labels = [row.classes[number] for number in named]
    if (shown == len(named)).any():
        labels.append("another class")
    axis.legend(
        handles=[
            Patch(facecolor=shades[i], edgecolor="black", linewidth=0.5, label=label)
            for i, label in enumerate(labels)
        ],
        fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False,
    )  # fmt: skip


def _extent(found: Occluded) -> tuple[float, float, float, float]:
    """Where the grid of the square's centres lies in the crop: each has a cell of one stride."""
    half, step = found.square.side / 2, found.square.stride / 2
    return (
        found.columns[0] + half - step, found.columns[-1] + half + step,
        found.rows[-1] + half + step, found.rows[0] + half - step,
    )  # fmt: skip


def _frame(axis: Axes, row: Row, colour: str = "white") -> None:
    height, width = row.pictures.shape[1:3]
    axis.set(xlim=(0, width), ylim=(height, 0))
    _outline(axis, row.box, colour)


def _outline(axis: Axes, box: Box | None, colour: str = "white") -> None:
    if box is not None:
        axis.add_patch(
            Rectangle(
                (box.left, box.top), box.right - box.left, box.bottom - box.top, fill=False,
                edgecolor=colour, linestyle="--", linewidth=1,
            )
        )  # fmt: skip
