"""Draws figure 2: one picture a layer, each map's projections beside the patches they come from."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
import numpy.typing as npt

from zfrepro.elements.features.measure import Panel, focused
from zfrepro.files import atomic_path
from zfrepro.render import mosaic
from zfrepro.render.mosaic import Picture
from zfrepro.render.style import DPI, OPTIONS, add_cautions, plt, save

CELL = 96  # pixels of one projection in the picture, at least
INCH = 2.6  # width of one map's panel, in inches
LETTERS = 13  # of the title, on an inch


def draw(
    panels: Sequence[Panel], path: Path, title: str, *, labels: bool = True, by: str = "peak"
) -> None:
    """Writes `path` in the formats of `style`.

    Args:
        panels: the maps of one layer.
        labels: whether each map's number and strongest activation stand above it.
        by: what `Panel.peaks` are.
    """
    columns = ceil((len(panels) / 1.6) ** 0.5)
    rows = ceil(len(panels) / columns)
    pictures = [compose(panel) for panel in panels]
    height, width = pictures[0].shape[:2]
    size = (columns * INCH, rows * (INCH * height / width + 0.25 * labels) + 0.4)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, panel, picture in zip(axes.flat, panels, pictures, strict=False):
        axis.imshow(picture, interpolation="none")
        if labels:
            axis.set_title(f"map {panel.map}, {by} {panel.peaks[0]:.3g}", fontsize=7, pad=2)
    figure.suptitle(fill(title, round(LETTERS * size[0])), fontsize=10)
    save(figure, path)


def compose(panel: Panel) -> Picture:
    """A map: 3 x 3 projections, each by its own contrast, beside the 3 x 3 patches.

    Of each window the part in which the projection is, as large as the window was.
    """
    side = max(CELL, panel.projections.shape[2])
    panel = focused(panel)
    smooth = panel.projections.shape[2] > 16  # of few pixels one wants to see each
    shown = [mosaic.signed(each) for each in panel.projections]
    projections = [mosaic.enlarge(each, side, smooth) for each in shown]
    patches = [mosaic.enlarge(each, side, smooth) for each in panel.patches]
    return mosaic.beside(mosaic.grid(projections, 3, rows=3), mosaic.grid(patches, 3, rows=3))


def draw_filters(weights: Picture, path: Path, title: str) -> None:
    """Filters of the first layer, (maps, 3, k, k), as one grid, each by its own contrast."""
    shown = [mosaic.signed(each, 100) for each in np.moveaxis(weights, 1, -1)]
    columns = ceil(len(shown) ** 0.5)
    picture = mosaic.grid([mosaic.enlarge(each, 44, smooth=False) for each in shown], columns, 3)
    height, width = picture.shape[:2]
    figure, axis = plt.subplots(figsize=(5, 5 * height / width + 0.4), layout="constrained")
    axis.set_axis_off()
    axis.imshow(picture, interpolation="none")
    axis.set_title(title, fontsize=10)
    save(figure, path)


def draw_image(
    image: npt.NDArray[np.uint8],
    projections: npt.NDArray[np.float32],
    labels: Sequence[str],
    path: Path,
    title: str,
) -> None:
    """Draws an image (c, c, 3) and, by contrasts of their own, its projections (n, c, c, 3).

    Args:
        path: a PNG or a PDF, as its suffix says.
    """
    pictures = [image / np.float32(255), *(mosaic.signed(each) for each in projections)]
    columns = ceil(len(pictures) ** 0.5)
    rows = ceil(len(pictures) / columns)
    size = (columns * 2.2, rows * 2.4 + 0.2)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, label in zip(axes.flat, pictures, [title, *labels], strict=False):
        axis.imshow(picture, interpolation="bicubic")
        axis.set_title(label, fontsize=8)
    add_cautions(figure)
    with atomic_path(path) as temporary:
        kind = path.suffix[1:]
        figure.savefig(temporary, format=kind, dpi=DPI, **OPTIONS[kind])
    plt.close(figure)
