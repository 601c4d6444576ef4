"""Draws figure 5: how far two layers and the true class' probability move with the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from zfrepro.render import mosaic
from zfrepro.render.style import plt, save

AXES = {
    "translation": "vertical translation (pixels of {crop})",
    "scale": "scale (ratio)",
    "rotation": "rotation (degrees)",
}
TILE, EDGE = 84, 4  # pixels of an example, of its frame
STYLES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]

Picture = npt.NDArray[np.float32]
Examples = Mapping[str, Sequence[Sequence[Picture]]]


def draw(
    table: pd.DataFrame, examples: Examples, names: Sequence[str], crop: int, path: Path,
    title: str, *, whose: str = "true class",
) -> None:  # fmt: skip
    """The paper's 3 x 4 panels; writes `path` in the formats of `style`.

    Args:
        table: of `invariance.curves`, with a column `image`; its images are drawn.
        examples: of each kind, for each image some transformed ones (h, w, 3) between 0 and 1,
            from the least amount to the largest.
        names: of the images, in the order in which they come in the table.
        whose: what the class is whose probability is drawn.
    """
    kinds, layers = table["kind"].unique(), table["layer"].unique()
    figure, axes = plt.subplots(
        len(kinds), 2 + len(layers), figsize=(4 * (2 + len(layers)), 3.1 * len(kinds) + 0.4),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(names)))
    for line, kind in zip(axes, kinds, strict=True):
        _examples(line[0], examples[kind], colours, table.loc[table["kind"] == kind, "amount"])
        rows = table[table["kind"] == kind]
        for axis, layer in zip(line[1:-1], layers, strict=True):
            _curves(axis, rows[rows["layer"] == layer], "distance", colours)
            axis.set_ylabel(f"{layer}: Euclidean distance")
        _curves(line[-1], rows[rows["layer"] == layers[0]], "probability", colours)
        line[-1].set(ylabel=f"P({whose})", ylim=(-0.02, 1.02))
        for axis in line[1:]:
            axis.set_xlabel(AXES[kind].format(crop=crop))
    handles = axes[0][1].get_lines()
    figure.legend(
        handles, names, loc="outside lower center", ncols=len(names), frameon=False, handlelength=4
    )
    figure.suptitle(title)
    save(figure, path)


def _curves(axis: Axes, rows: pd.DataFrame, column: str, colours: npt.NDArray[np.float64]) -> None:
    for i, (_, curve) in enumerate(rows.groupby("image", sort=False)):
        axis.plot(
            curve["amount"], curve[column], color=colours[i], linestyle=STYLES[i % len(STYLES)],
            linewidth=1.6,
        )  # fmt: skip
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(visible=True, color="0.9")
    axis.margins(x=0.01)
    if column != "probability":
        axis.set_ylim(bottom=0)


def _examples(
    axis: Axes,
    examples: Sequence[Sequence[Picture]],
    colours: npt.NDArray[np.float64],
    amounts: pd.Series[float],
) -> None:
    """A row an image, in a frame of its curves' colour."""
    tiles = [
        _framed(mosaic.enlarge(picture, TILE, smooth=True), colour[:3])
        for pictures, colour in zip(examples, colours, strict=True)
        for picture in pictures
    ]
    axis.imshow(mosaic.grid(tiles, len(examples[0]), gap=3), interpolation="none")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_xlabel(f"from {amounts.min():g} to {amounts.max():g}")


def _framed(picture: Picture, colour: npt.NDArray[np.float64]) -> Picture:
    framed = np.empty((picture.shape[0] + 2 * EDGE, picture.shape[1] + 2 * EDGE, 3), np.float32)
    framed[:] = colour
    framed[EDGE:-EDGE, EDGE:-EDGE] = picture
    return framed


def draw_means(table: pd.DataFrame, crop: int, path: Path, title: str) -> None:
    """Mean curves over many images, with the deviation between networks.

    Args:
        table: columns network, kind, amount, layer and relative, each row a mean over images.
    """
    kinds, layers = table["kind"].unique(), table["layer"].unique()
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(4.2 * len(kinds), 3.4), sharey=True, layout="constrained"
    )
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.7, len(layers)))
    for axis, kind in zip(axes, kinds, strict=True):
        for i, layer in enumerate(layers):
            rows = table[(table["kind"] == kind) & (table["layer"] == layer)]
            by_amount = rows.groupby("amount")["relative"]
            mean, deviation = by_amount.mean(), by_amount.std().fillna(0)
            axis.plot(mean.index, mean, color=colours[i], linestyle=STYLES[i], label=layer)
            axis.fill_between(
                mean.index, mean - deviation, mean + deviation, color=colours[i], alpha=0.2
            )
        axis.set_xlabel(AXES[kind].format(crop=crop))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, color="0.9")
    axes[0].set(ylabel="distance / norm of the features", ylim=(0, None))
    axes[0].legend(frameon=False)
    figure.suptitle(title)
    save(figure, path)
