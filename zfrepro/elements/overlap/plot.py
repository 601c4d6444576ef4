"""Draws images that two sets share, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zfrepro.render import mosaic
from zfrepro.render.mosaic import Picture
from zfrepro.render.style import plt, save

CELL = 112  # pixels of an image in the picture, at least
COLUMNS = 4  # pairs a row
INCH = 2.3  # width of a pair, in inches


class Shown(NamedTuple):
    """A pair to draw: both images, (h, w, 3) between 0 and 1, and what stands above them."""

    transfer: Picture
    source: Picture
    caption: str


def draw(pairs: Sequence[Shown], path: Path, title: str) -> None:
    """Writes `path` in the formats of `style`; the transfer set's image comes first."""
    columns = min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    size = (columns * INCH, rows * (INCH / 2 + 0.32) + 0.5)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, pair in zip(axes.flat, pairs, strict=False):
        side = max(CELL, pair.source.shape[1])
        left, right = (
            mosaic.enlarge(each, side, smooth=True) for each in (pair.transfer, pair.source)
        )
        axis.imshow(mosaic.beside(left, right, gap=2), interpolation="none")
        axis.set_title(pair.caption, fontsize=6, pad=2)
    figure.suptitle(title, fontsize=9)
    save(figure, path)
