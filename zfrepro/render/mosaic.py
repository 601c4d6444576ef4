"""Many small pictures as one: contrast, enlargement and grids, as arrays between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.float32]  # (h, w, 3), between 0 and 1

GREY = 0.5
WHITE = 1.0


def signed(values: Picture, percentile: float = 99.8, *, scale: float | None = None) -> Picture:
    """Values around 0 as greys around 0.5, all by one scale: the largest become black and white.

    Args:
        values: (..., 3).
        percentile: see `largest`.
        scale: what becomes black and white instead, -scale and scale.
    """
    scale = scale or largest(values, percentile)
    shown: Picture = np.clip(GREY + values / (2 * scale), 0, 1).astype(np.float32)
    return shown


def largest(values: Picture, percentile: float = 99.8) -> float:
    """The largest absolute value, where single pixels do not decide; 1 where all are 0.

    Args:
        percentile: of the absolute values, what counts as the largest.
    """
    sizes = np.abs(values)
    return float(np.percentile(sizes, percentile)) or float(sizes.max()) or 1.0


def enlarge(picture: Picture, side: int, smooth: bool) -> Picture:
    """The picture at `side` pixels' width; its own pixels are squares unless `smooth`."""
    missing = np.isnan(picture)
    pixels = np.where(missing, WHITE, picture)
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    height = round(side * picture.shape[0] / picture.shape[1])
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    return np.asarray(image.resize((side, height), how), dtype=np.float32) / np.float32(255)


def grid(pictures: Sequence[Picture], columns: int, gap: int = 2, rows: int = 0) -> Picture:
    """Pictures of one size in rows, with white between them; cells left over stay white.

    Args:
        rows: at least so many.
    """
    height, width = pictures[0].shape[:2]
    rows = max(rows, ceil(len(pictures) / columns))
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    whole = np.full(size, WHITE, dtype=np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        whole[top : top + height, left : left + width] = picture
    return whole


def beside(left: Picture, right: Picture, gap: int = 8) -> Picture:
    """Two pictures of one height, with white between them."""
    between = np.full((left.shape[0], gap, 3), WHITE, dtype=np.float32)
    return np.concatenate([left, between, right], axis=1)
