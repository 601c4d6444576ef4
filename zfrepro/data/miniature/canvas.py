"""Painting implicit shapes into an image through affine frames."""

# numpy's stubs type most ufuncs as Any
# mypy: disable-error-code="no-any-return"

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zfrepro.data.miniature.palette import Colour
from zfrepro.data.miniature.shapes import SHAPES, Field, coverage, pixels_outside

Matrix = npt.NDArray[np.float64]
Paint = Colour | Callable[[Field, Field], Field]  # one colour, or (x, y) -> (h, w, 3)

OVERHANG = 1.25  # no shape leaves this multiple of its unit square
SEEN = 0.15  # share of a pixel from which on a shape shows; whiskers are thinner than a pixel


@dataclass(frozen=True)
class Box:
    """Pixels in columns [left, right) and rows [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Frame:
    """Where a shape's unit square lies: image point = matrix @ (x, y) + origin, in pixels."""

    matrix: Matrix  # (2, 2)
    origin: Matrix  # (2,)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Image coordinates of a point, in pixels from the image's top left corner."""
        across, down = self.matrix @ (x, y) + self.origin
        return float(across), float(down)

    def place(self, at: tuple[float, float], size: tuple[float, float], angle: float) -> "Frame":
        """The frame of a part with this centre, half sizes and angle (degrees, clockwise)."""
        turn = np.deg2rad(angle)
        cos, sin = np.cos(turn), np.sin(turn)
        local = np.array([[cos * size[0], -sin * size[1]], [sin * size[0], cos * size[1]]])
        return Frame(self.matrix @ local, self.matrix @ np.asarray(at) + self.origin)

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of an image that the shape can touch."""
        (a, b), (c, d) = self.matrix.tolist()
        x, y = self.origin.tolist()
        across, down = OVERHANG * (abs(a) + abs(b)) + 2, OVERHANG * (abs(c) + abs(d)) + 2
        return _within(y - down, y + down, height), _within(x - across, x + across, width)

    def local(self, rows: slice, columns: slice) -> tuple[Field, Field]:
        """The shape's own coordinates x and y at the centres of these pixels."""
        (a, b), (c, d) = self.matrix.tolist()
        determinant = a * d - b * c
        across = np.arange(columns.start, columns.stop, dtype=np.float32)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        across += np.float32(0.5 - self.origin[0])
        down += np.float32(0.5 - self.origin[1])
        x = across * (d / determinant) - down * (b / determinant)
        return x, down * (a / determinant) - across * (c / determinant)


@dataclass(frozen=True)
class Light:
    """Where light comes from and how it falls off.

    Attributes:
        towards: (3,) direction to the light in the image: right, down, to the viewer.
        ambient: brightness in the shade, as a share of full light.
        outline: how much the rim is darkened (0 to 1).
    """

    towards: npt.NDArray[np.float32]
    ambient: float
    outline: float


class Canvas:
    """An image being painted, and the share of each pixel that the object covers."""

    def __init__(self, pixels: Field) -> None:
        """`pixels` is (height, width, 3), 0 to 1, and is painted over."""
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]
        self.covered = np.zeros((self.height, self.width), dtype=np.float32)

    def paint(
        self, shape: str, frame: Frame, paint: Paint, light: Light | None, opacity: float = 1.0
    ) -> Box | None:
        """Paints a shape; returns the box of the pixels in which it shows, if any."""
        window = frame.window(self.height, self.width)
        if window[0].start >= window[0].stop or window[1].start >= window[1].stop:
            return None
        x, y = frame.local(*window)
        outside = pixels_outside(SHAPES[shape](x, y))
        alpha = _share(0.5 - outside)
        tint: Field = paint(x, y) if callable(paint) else np.asarray(paint)
        if light is not None:
            tint = tint * _brightness(x, y, outside, frame, light)[:, :, None]
        patch = self.pixels[window]
        change = tint - patch
        change *= (opacity * alpha)[:, :, None]
        patch += change
        np.maximum(self.covered[window], alpha, out=self.covered[window])
        return box_of(alpha > SEEN, window[0].start, window[1].start)

    def darken(self, frame: Frame, strength: float) -> None:
        """A soft round shadow that ends at the frame's unit circle."""
        window = frame.window(self.height, self.width)
        x, y = frame.local(*window)
        fall = _share(1 - x * x - y * y)
        self.pixels[window] *= (1 - strength * fall * fall)[:, :, None]


def two_colours(texture: Field, main: Colour, second: Colour) -> Field:
    """(h, w, 3): `second` where `texture` is negative, antialiased."""
    share = coverage(texture)[:, :, None]
    return main + share * (second - main)


def box_of(mask: npt.NDArray[np.bool_], top: int = 0, left: int = 0) -> Box | None:
    """The smallest box about the true pixels of `mask`, whose corner lies at (`left`, `top`)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return Box(
        left + int(columns[0]), top + int(rows[0]),
        left + int(columns[-1]) + 1, top + int(rows[-1]) + 1,
    )  # fmt: skip


def _share(values: Field) -> Field:
    """Cut off below 0 and above 1; np.clip takes three times as long on small arrays."""
    return np.minimum(np.maximum(values, 0), 1)


def _within(low: float, high: float, side: int) -> slice:
    return slice(max(math.floor(low), 0), max(min(math.ceil(high), side), 0))


def _brightness(x: Field, y: Field, outside: Field, frame: Frame, light: Light) -> Field:
    """Lambert's law on the ellipsoid in the shape's unit square, with a darker rim."""
    axes = (frame.matrix / np.linalg.norm(frame.matrix, axis=0)).astype(np.float32)
    towards = light.towards[:2] @ axes
    bulge = np.sqrt(np.maximum(1 - 0.8 * (x * x + y * y), 0.05))
    diffuse = np.maximum(towards[0] * x + towards[1] * y + light.towards[2] * bulge, 0)
    rim = _share(outside + 1.6)
    return (light.ambient + (1.12 - light.ambient) * diffuse) * (1 - light.outline * rim)
