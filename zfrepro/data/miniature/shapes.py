"""Shapes as implicit functions: negative inside, zero on the outline, positive outside.

A shape fills the square [-1, 1] x [-1, 1] (x to the right, y down); a frame places it in the
image. Only the zero line matters: `coverage` divides by the gradient on screen, so no shape
needs to be a true distance, and any affine placement is antialiased.
"""

# numpy's stubs type most ufuncs as Any
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Shape = Callable[[Field, Field], Field]


def coverage(values: Field) -> Field:
    """Share of each pixel (0 to 1) that lies where `values` is negative."""
    return np.clip(0.5 - pixels_outside(values), 0.0, 1.0)


def pixels_outside(values: Field) -> Field:
    """Distance to the zero line in pixels (negative inside), to first order."""
    slope = np.zeros_like(values)
    if values.shape[1] > 1:
        across = values[:, 1:] - values[:, :-1]
        slope[:, :-1] = across * across
        slope[:, -1] = slope[:, -2]
    if values.shape[0] > 1:
        down = values[1:] - values[:-1]
        down *= down
        slope[:-1] += down
        slope[-1] += down[-1]
    return values / np.sqrt(slope + 1e-12)


def _disc(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 1


def _egg(x: Field, y: Field) -> Field:
    return np.hypot(x / (0.86 + 0.16 * np.clip(y, -1.5, 1.5)), y) - 1


def _drop(x: Field, y: Field) -> Field:
    """A balloon: wide on top, narrow at the bottom."""
    return np.hypot(x / (0.8 - 0.32 * np.clip(y, -1.2, 1.2)), y) - 1


def _box(x: Field, y: Field) -> Field:
    """A square with rounded corners (superellipse of order 6)."""
    x3, y3 = x * x * x, y * y * y
    return x3 * x3 + y3 * y3 - 1


def _diamond(x: Field, y: Field) -> Field:
    return np.abs(x) + np.abs(y) - 1


def _leaf(x: Field, y: Field) -> Field:
    """Pointed above and below."""
    return np.abs(x) + y * y - 1


def _spindle(x: Field, y: Field) -> Field:
    """Pointed at the left and at the right."""
    return np.abs(y) + x * x - 1


def _triangle(x: Field, y: Field) -> Field:
    """Tip above, corners slightly rounded."""
    flank = np.abs(x) * 0.9 - (y + 1.06) * 0.47
    base = y - 0.9
    return np.logaddexp(9 * flank, 9 * base) / 9


def _shield(x: Field, y: Field) -> Field:
    """A triangle with its tip below."""
    return _triangle(x, -y)


def _dome(x: Field, y: Field) -> Field:
    """Round above, flat below."""
    arch = np.hypot(x, (y - 0.7) / 1.7) - 1
    floor = (y - 0.7) * 1.5
    return np.logaddexp(10 * arch, 10 * floor) / 10


def _heart(x: Field, y: Field) -> Field:
    lifted = 1.2 * (0.1 - y) - 0.75 * np.sqrt(np.abs(x) + 0.02)
    return x * x + (lifted + 0.15) ** 2 - 1


def _star(x: Field, y: Field) -> Field:
    wave = np.abs(np.arctan2(x, -y) * (5 / np.pi) % 2 - 1)  # 1 on a ray, 0 between two
    return np.hypot(x, y) - 0.5 - 0.5 * wave**1.3


def _flower(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.62 - 0.38 * np.abs(np.cos(3 * np.arctan2(y, x)))


def _gear(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.9 - 0.1 * np.cos(9 * np.arctan2(y, x))


def _hexagon(x: Field, y: Field) -> Field:
    slanted = 0.5 * np.abs(y) + 0.866 * np.abs(x)
    return np.maximum(np.abs(y), slanted) - 0.92


def _cross(x: Field, y: Field) -> Field:
    x, y = np.abs(x), np.abs(y)
    upright = np.maximum(x - 0.38, y - 1)
    return np.minimum(upright, np.maximum(x - 1, y - 0.38))


def _ring(x: Field, y: Field) -> Field:
    return np.abs(np.hypot(x, y) - 0.8) - 0.2


def _crescent(x: Field, y: Field) -> Field:
    """Open to the right."""
    return np.maximum(np.hypot(x, y) - 1, 0.85 - np.hypot(x - 0.5, y))


def _fan(x: Field, y: Field) -> Field:
    """Narrow below, wide and round above: fins, tails, wings."""
    wedge = np.abs(x) - 0.16 - 0.42 * (1 - y)
    return np.maximum(np.maximum(wedge, y - 1), np.hypot(x, (y - 1) / 2) - 1)


SHAPES: dict[str, Shape] = {
    "box": _box,
    "crescent": _crescent,
    "cross": _cross,
    "diamond": _diamond,
    "disc": _disc,
    "dome": _dome,
    "drop": _drop,
    "egg": _egg,
    "fan": _fan,
    "flower": _flower,
    "gear": _gear,
    "heart": _heart,
    "hexagon": _hexagon,
    "leaf": _leaf,
    "ring": _ring,
    "shield": _shield,
    "spindle": _spindle,
    "star": _star,
    "triangle": _triangle,
}


@cache
def reach(shape: str, half_width: float, half_height: float, direction: float) -> float:
    """Distance from a shape's centre to its outline.

    `direction` is in degrees, clockwise, 0 straight up; the shape is `half_width` by
    `half_height` large and the distance is in the same unit.
    """
    radii = np.linspace(0, 2, 401, dtype=np.float32)
    angle = np.deg2rad(direction)
    x = radii * np.float32(np.sin(angle) / half_width)
    y = radii * np.float32(-np.cos(angle) / half_height)
    inside = SHAPES[shape](x, y) < 0
    return float(radii[inside].max(initial=0.05))
