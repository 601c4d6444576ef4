"""Surface textures: where a body takes its second colour.

A texture is an implicit function like a shape (`shapes.py`), on the body's own coordinates:
negative where the second colour goes. So a texture turns, shrinks and shears with its body.
"""

# numpy's stubs type most ufuncs as Any
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zfrepro.data.miniature.shapes import Field


@dataclass(frozen=True)
class Grain:
    """How one image's texture is cut.

    Attributes:
        wavelength: in half sizes of the body; the textures are made for about 0.5.
        phase: two shifts, in radians.
        waves: (5, 3) random waves (x, y, shift) that bend the texture and shape the patches.
    """

    wavelength: float
    phase: tuple[float, float]
    waves: Field

    @classmethod
    def random(cls, rng: np.random.Generator, wavelength: float) -> "Grain":
        phase = rng.uniform(0, 2 * np.pi, 2)
        waves = np.column_stack([rng.normal(0, 1, (5, 2)), rng.uniform(0, 2 * np.pi, 5)])
        return cls(
            wavelength * float(rng.uniform(0.82, 1.2)),
            (float(phase[0]), float(phase[1])),
            waves.astype(np.float32),
        )

    @property
    def frequency(self) -> float:
        return 2 * np.pi / self.wavelength


Texture = Callable[[Field, Field, Grain], Field]


def _stripes(x: Field, y: Field, grain: Grain) -> Field:
    """Upright stripes: they cross a lying body."""
    bend = 0.12 * np.sin(2.2 * y + grain.phase[1])
    return np.sin(grain.frequency * (x + bend) + grain.phase[0])


def _bands(x: Field, y: Field, grain: Grain) -> Field:
    """Level bands."""
    return _stripes(y, x, grain)


def _slant(x: Field, y: Field, grain: Grain) -> Field:
    return np.sin(grain.frequency * 0.707 * (x + y) + grain.phase[0])


def _checks(x: Field, y: Field, grain: Grain) -> Field:
    half = grain.frequency / 1.5
    return np.sin(half * x + grain.phase[0]) * np.sin(half * y + grain.phase[1])


def _spots(x: Field, y: Field, grain: Grain) -> Field:
    """Discs on a bent hexagonal lattice: the crests of three waves at 120 degrees."""
    first, second, turn = grain.waves[:3, 2]
    k = grain.frequency / 1.25
    x = x + 0.1 * np.sin(2.5 * y + first)
    y = y + 0.1 * np.sin(2.5 * x + second)
    crests = np.zeros_like(x)
    for third in range(3):
        angle = turn + third * 2 * np.pi / 3
        shift = grain.phase[0] if third == 0 else grain.phase[1] * (-1) ** third
        crests += np.cos(k * (np.cos(angle) * x + np.sin(angle) * y) + shift)
    return 0.75 - crests


def _rings(x: Field, y: Field, grain: Grain) -> Field:
    return np.sin(grain.frequency * np.hypot(x, y) + grain.phase[0])


def _spiral(x: Field, y: Field, grain: Grain) -> Field:
    return np.sin(grain.frequency * np.hypot(x, y) + np.arctan2(y, x) + grain.phase[0])


def _rays(x: Field, y: Field, grain: Grain) -> Field:
    """Sectors about the centre; their number follows from the wavelength."""
    number = max(3, round(4 / grain.wavelength))
    return np.sin(number * np.arctan2(y, x) + grain.phase[0])


def _gores(x: Field, y: Field, grain: Grain) -> Field:
    """Sectors that spread from a point above the body, as on a balloon or an umbrella."""
    number = 3.2 / grain.wavelength
    return np.cos(2 * number * np.arctan2(x, y + 1.35) + grain.phase[0])


def _zigzag(x: Field, y: Field, grain: Grain) -> Field:
    teeth = np.abs((x / grain.wavelength / 1.2 + grain.phase[1]) % 2 - 1)
    return np.sin(grain.frequency * (y + 0.55 * grain.wavelength * teeth) + grain.phase[0])


def _scales(x: Field, y: Field, grain: Grain) -> Field:
    """Scalloped rows, as feathers or fish scales."""
    arcs = np.abs(np.sin(0.75 * grain.frequency * x + grain.phase[1]))
    row = grain.frequency * y - 2.2 * arcs + grain.phase[0]
    return np.sin(row) + 0.25


def _patches(x: Field, y: Field, grain: Grain) -> Field:
    """Large irregular islands, as on a cow."""
    k = 2.1 / grain.wavelength
    total = np.zeros_like(x)
    for across, down, shift in grain.waves:
        total += np.sin(k * (across * x + down * y) + shift)
    return total - 0.2


def _saddle(x: Field, y: Field, grain: Grain) -> Field:
    """Upper half in the second colour, with a wavy border."""
    return y + 0.1 + 0.12 * np.sin(5 * x + grain.phase[0])


def _plain(x: Field, y: Field, grain: Grain) -> Field:
    """The first colour alone."""
    return np.ones_like(x)


TEXTURES: dict[str, Texture] = {
    "bands": _bands,
    "checks": _checks,
    "gores": _gores,
    "patches": _patches,
    "plain": _plain,
    "rays": _rays,
    "rings": _rings,
    "saddle": _saddle,
    "scales": _scales,
    "slant": _slant,
    "spiral": _spiral,
    "spots": _spots,
    "stripes": _stripes,
    "zigzag": _zigzag,
}
