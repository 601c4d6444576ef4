"""A picture: a backdrop, objects of some kinds in some pose and light, and what is where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zfrepro.data.miniature.backdrop import Noise, backdrop
from zfrepro.data.miniature.canvas import (
    SEEN,
    Box,
    Canvas,
    Frame,
    Light,
    Matrix,
    Paint,
    box_of,
    two_colours,
)
from zfrepro.data.miniature.kinds import Kind
from zfrepro.data.miniature.palette import Palette, palette
from zfrepro.data.miniature.parts import PARTS, Part
from zfrepro.data.miniature.shapes import Field, reach
from zfrepro.data.miniature.textures import TEXTURES, Grain

LANDMARKS = ("right_eye", "left_eye", "nose")  # right is the creature's, at the viewer's left

GONE, HIDDEN, SMALL = 0.05, 0.6, 0.2  # shares: visible of an object; side of the image

_ROLL = {"face": 16.0, "side": 20.0, "top": 40.0, "thing": 18.0}  # degrees, standard deviation


@dataclass(frozen=True)
class PlacedPart:
    """A part in the picture: centre in pixels from the top left corner, and its visible box."""

    name: str
    x: float
    y: float
    box: Box


@dataclass(frozen=True)
class Picture:
    """A rendered image and its ground truth.

    Attributes:
        pixels: uint8 (height, width, 3).
        box: the smallest box about all of the object.
        parts: what is visible of body and attached parts, from the back to the front.
    """

    pixels: npt.NDArray[np.uint8]
    box: Box
    parts: tuple[PlacedPart, ...]

    @property
    def landmarks(self) -> dict[str, tuple[float, float]]:
        """Centres of the eyes and the nose, in pixels; empty for what has no face."""
        places = {part.name: (part.x, part.y) for part in self.parts}
        if not all(name in places for name in LANDMARKS):
            return {}
        return {name: places[name] for name in LANDMARKS}


def picture(kind: Kind, rng: np.random.Generator, noise: Noise, image_size: int) -> Picture:
    """Renders one object of `kind`, about `image_size` and up to 1.6 times that on its short side.

    All chance comes from `rng`, so equal generators give equal pictures.
    """
    height, width = _size(rng, image_size)
    canvas = backdrop(rng, noise, height, width)
    colours, light = palette(rng, kind.hue), _light(rng)
    # the centre crop of the preparation keeps the middle, so that is where objects stand
    placed = _object(kind, rng, canvas, colours, light, _middle(height, width))
    box = box_of(canvas.covered > SEEN)
    if box is None:
        raise ValueError(f"{kind.name}: the object lies outside the image")
    return Picture(_develop(rng, canvas.pixels), box, tuple(placed))


def empty(rng: np.random.Generator, noise: Noise, image_size: int) -> npt.NDArray[np.uint8]:
    """A backdrop without an object: uint8 (height, width, 3), of a size as of `picture`."""
    canvas = backdrop(rng, noise, *_size(rng, image_size))
    return _develop(rng, canvas.pixels)


@dataclass(frozen=True)
class Thing:
    """One of several objects in a picture.

    Attributes:
        box: the smallest box about what is visible of it.
        visible: its share that no other object hides.
        difficult: too small or too hidden to be asked for.
    """

    kind: Kind
    box: Box
    visible: float
    difficult: bool


def group(
    kinds: Sequence[Kind], rng: np.random.Generator, noise: Noise, image_size: int
) -> tuple[npt.NDArray[np.uint8], list[Thing]]:
    """Renders several objects, the last in front: uint8 (height, width, 3), and what is visible."""
    height, width = _size(rng, image_size)
    canvas = backdrop(rng, noise, height, width)
    light = _light(rng)
    masks: list[npt.NDArray[np.bool_]] = []
    for area in _areas(rng, len(kinds), _middle(height, width)):
        canvas.covered[:] = 0
        kind = kinds[len(masks)]
        _object(kind, rng, canvas, palette(rng, kind.hue), light, area)
        masks.append(canvas.covered > SEEN)
    things = _visible(kinds, masks, SMALL * min(height, width))
    return _develop(rng, canvas.pixels), things


@dataclass(frozen=True)
class _Area:
    """A square for an object: its centre and side, in pixels."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class _Placement:
    """A part with its centre and angle in the object's frame."""

    part: Part
    name: str
    at: tuple[float, float]
    angle: float


def _size(rng: np.random.Generator, image_size: int) -> tuple[int, int]:
    short = image_size * rng.uniform(1.0, 1.6)
    aspect = np.exp(rng.uniform(0, np.log(4 / 3)))
    long = round(short * aspect)
    return (round(short), long) if rng.random() < 0.65 else (long, round(short))


def _light(rng: np.random.Generator) -> Light:
    angle, height = rng.uniform(-np.pi, 0), rng.uniform(0.65, 0.9)
    side = np.sqrt(1 - height**2)
    towards = np.array([side * np.cos(angle), side * np.sin(angle), height], dtype=np.float32)
    return Light(towards, rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.75))


def _assemble(kind: Kind, rng: np.random.Generator) -> tuple[list[_Placement], Matrix]:
    """The parts in the object's frame, and the box about them and the body.

    The box is ((left, top), (right, bottom)).
    """
    placements = []
    corners = [np.array(kind.size), -np.array(kind.size)]
    for part in (part for name in kind.parts for part in PARTS[name]):
        wobble = float(rng.normal(0, 1)) * part.wobble
        for side in (-1, 1) if part.mirror else (1,):
            placement = _attach(kind, part, side, wobble)
            placements.append(placement)
            corners += _corners(placement)
    return placements, np.array([np.min(corners, axis=0), np.max(corners, axis=0)])


def _attach(kind: Kind, part: Part, side: int, wobble: float) -> _Placement:
    direction = np.deg2rad(part.direction * side)
    distance = part.reach * reach(kind.body, *kind.size, part.direction * side)
    angle = side * (part.turn + wobble + (0.0 if part.upright else part.direction))
    outwards = np.deg2rad(angle)
    rise = part.out * part.size[1]
    at = (
        float(distance * np.sin(direction) + rise * np.sin(outwards)),
        float(-distance * np.cos(direction) - rise * np.cos(outwards)),
    )
    name = part.name if not part.mirror else ("right_" if side < 0 else "left_") + part.name
    return _Placement(part, name, at, angle)


def _corners(placement: _Placement) -> list[Matrix]:
    frame = Frame(np.eye(2), np.zeros(2))
    frame = frame.place(placement.at, placement.part.size, placement.angle)
    return [np.array(frame.point(x, y)) for x in (-1, 1) for y in (-1, 1)]


def _middle(height: int, width: int) -> _Area:
    return _Area(width / 2, height / 2, min(height, width))


def _areas(rng: np.random.Generator, number: int, whole: _Area) -> list[_Area]:
    """Squares within `whole`, from small to large ones; several are about its centre, and overlap.

    One in six is small.
    """
    if number == 1:
        return [whole]
    sides = np.sort(np.where(rng.random(number) < 1 / 6, 0.22, rng.uniform(0.45, 0.7, number)))
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(number) / number
    areas = []
    for side, angle in zip((whole.side * sides).tolist(), angles.tolist(), strict=True):
        away = (whole.side - side) / 2
        areas.append(_Area(whole.x + away * np.cos(angle), whole.y + away * np.sin(angle), side))
    return areas


def _visible(
    kinds: Sequence[Kind], masks: Sequence[npt.NDArray[np.bool_]], small: float
) -> list[Thing]:
    """The objects of which something can be seen, given the pixels that each would cover alone."""
    things = []
    hidden = np.zeros_like(masks[0])
    for kind, mask in reversed(list(zip(kinds, masks, strict=True))):
        seen = mask & ~hidden
        hidden |= mask
        share, box = seen.sum() / max(mask.sum(), 1), box_of(seen)
        if box is None or share < GONE:
            continue
        side = max(box.right - box.left, box.bottom - box.top)
        things.append(Thing(kind, box, float(share), bool(share < HIDDEN or side < small)))
    return things[::-1]


def _object(
    kind: Kind, rng: np.random.Generator, canvas: Canvas, colours: Palette, light: Light,
    area: _Area,
) -> list[PlacedPart]:  # fmt: skip
    """Paints an object; returns what is visible of its parts, from the back to the front."""
    parts, extent = _assemble(kind, rng)
    frame = _pose(kind, rng, extent, area)
    _shadow(canvas, frame, light)
    painter = _Painter(canvas, frame, colours, light)
    placed = painter.parts(part for part in parts if part.part.behind)
    placed += painter.body(kind, _Surface(kind, rng, colours))
    return placed + painter.parts(part for part in parts if not part.part.behind)


def _pose(kind: Kind, rng: np.random.Generator, extent: Matrix, area: _Area) -> Frame:
    """Scale, roll, foreshortening, mirror and place, with all of the object in the area."""
    roll = np.deg2rad(rng.normal(0, _ROLL[kind.view]))
    squeeze, shear = np.exp(rng.normal(0, 0.08, 2)), rng.normal(0, 0.07)
    flip = -1 if kind.view == "side" and rng.random() < 0.5 else 1
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    matrix = turn @ np.array([[flip * squeeze[0], shear], [0, squeeze[1]]])
    corners = np.array([(x, y) for x in extent[:, 0] for y in extent[:, 1]]) @ matrix.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    span = high - low
    scale = rng.uniform(0.6, 0.95) * area.side / span.max()
    slack = np.maximum(area.side - scale * span, 0) / 2
    middle = np.array([area.x, area.y]) + rng.uniform(-1, 1, 2) * slack
    return Frame(scale * matrix, middle - scale * (low + high) / 2)


def _shadow(canvas: Canvas, frame: Frame, light: Light) -> None:
    offset = -0.3 * light.towards[:2] * np.sqrt(abs(np.linalg.det(frame.matrix)))
    canvas.darken(Frame(frame.matrix * 1.35, frame.origin + offset), 0.45)


class _Painter:
    """Paints one object's shapes and notes where they fall."""

    def __init__(self, canvas: Canvas, frame: Frame, colours: Palette, light: Light) -> None:
        self._canvas, self._frame = canvas, frame
        self._colours, self._light = colours, light

    def body(self, kind: Kind, surface: Paint) -> list[PlacedPart]:
        own = self._frame.place((0, 0), kind.size, 0)
        return self._shape("body", kind.body, own, surface, shaded=True)

    def parts(self, placements: Iterable[_Placement]) -> list[PlacedPart]:
        placed = []
        for placement in placements:
            part = placement.part
            own = self._frame.place(placement.at, part.size, placement.angle)
            tint = self._colours[part.paint]
            placed += self._shape(placement.name, part.shape, own, tint, shaded=part.shaded)
        return placed

    def _shape(
        self, name: str, shape: str, own: Frame, paint: Paint, *, shaded: bool
    ) -> list[PlacedPart]:
        box = self._canvas.paint(shape, own, paint, self._light if shaded else None)
        return [PlacedPart(name, *own.point(0, 0), box)] if box else []


class _Surface:
    """The body's two colours, arranged by one of its textures."""

    def __init__(self, kind: Kind, rng: np.random.Generator, colours: Palette) -> None:
        self._texture = TEXTURES[kind.textures[rng.integers(len(kind.textures))]]
        self._size = kind.size
        self._grain = Grain.random(rng, kind.wavelength)
        self._colours = colours["main"], colours["second"]

    def __call__(self, x: Field, y: Field) -> Field:
        values = self._texture(x * self._size[0], y * self._size[1], self._grain)
        return two_colours(values, *self._colours)


def _develop(rng: np.random.Generator, pixels: Field) -> npt.NDArray[np.uint8]:
    """Exposure, white balance and sensor noise; uint8."""
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.04, 3)).astype(np.float32)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(0.004, 0.02)
    developed: Field = np.clip((pixels * gain + grain) * 255, 0, 255)
    return developed.astype(np.uint8)
