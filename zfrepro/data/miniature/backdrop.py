"""Cluttered backgrounds with a 1/f spectrum, as photographs have."""

# numpy's stubs type most ufuncs as Any
# mypy: disable-error-code="no-any-return"

import numpy as np
import numpy.typing as npt

from zfrepro.data.miniature.canvas import Canvas, Frame
from zfrepro.data.miniature.palette import colour
from zfrepro.data.miniature.shapes import SHAPES, Field

FIELD_SIDE = 512
FIELDS = 8


class Noise:
    """A few periodic noise fields with amplitude 1/f, cut at random.

    One Fourier transform a field at the start, so a background costs no transform of its own.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, FIELD_SIDE])
        self._fields = [_one_over_f(rng, FIELD_SIDE) for _ in range(FIELDS)]

    def cut(self, rng: np.random.Generator, height: int, width: int) -> Field:
        """(height, width) of noise with mean 0 and deviation 1."""
        field = self._fields[rng.integers(FIELDS)]
        if rng.random() < 0.5:
            field = field.T
        top, left = rng.integers(0, FIELD_SIDE, 2)
        rows = np.arange(top, top + height) % FIELD_SIDE
        columns = np.arange(left, left + width) % FIELD_SIDE
        piece = field[rows[:, None], columns[None, :]]
        piece -= piece.mean()
        piece /= piece.std() + 1e-6
        return piece


def backdrop(rng: np.random.Generator, noise: Noise, height: int, width: int) -> Canvas:
    """A muted two-colour landscape of noise with clutter in front of it."""
    level = rng.uniform(0.35, 0.85)
    hue, other = rng.uniform(0, 360), rng.normal(0, 50)
    near = colour(hue, rng.uniform(0.04, 0.3), level)
    far = colour(hue + other, rng.uniform(0.04, 0.3), level + rng.uniform(-0.3, 0.3))
    mix = 0.5 + 0.24 * noise.cut(rng, height, width)
    mix += _horizon(rng, height)
    pixels = near + np.clip(mix, 0, 1)[:, :, None] * (far - near)
    pixels += (rng.uniform(0.01, 0.04) * noise.cut(rng, height, width))[:, :, None]
    canvas = Canvas(pixels.astype(np.float32))
    _clutter(rng, canvas)
    canvas.covered[:] = 0
    return canvas


def _horizon(rng: np.random.Generator, height: int) -> Field:
    """A soft step from sky to ground, in every second image."""
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    place, softness = rng.uniform(0.35, 0.75), rng.uniform(0.03, 0.3)
    strength = rng.uniform(0.3, 0.8) if rng.random() < 0.5 else 0.0
    step = strength * np.clip((rows - place) / softness, -0.5, 0.5)
    return np.asarray(step, dtype=np.float32)


def _clutter(rng: np.random.Generator, canvas: Canvas) -> None:
    """Blades and small shapes in colours near those of the place where they stand."""
    side = min(canvas.height, canvas.width)
    names = sorted(SHAPES)
    for _ in range(rng.integers(4, 14)):
        at = rng.uniform(0, 1, 2) * (canvas.width, canvas.height)
        if rng.random() < 0.5:
            shape, size = "box", (rng.uniform(0.006, 0.02), rng.uniform(0.1, 0.5))
        else:
            shape, size = names[rng.integers(len(names))], tuple(rng.uniform(0.03, 0.14, 2))
        frame = Frame(np.eye(2) * side, at).place((0, 0), size, rng.uniform(0, 360))
        under = canvas.pixels[int(at[1]), int(at[0])]
        tint = np.clip(under + rng.normal(0, 0.17) + rng.normal(0, 0.06, 3), 0, 1)
        canvas.paint(shape, frame, tint.astype(np.float32), None, rng.uniform(0.5, 0.9))


def _one_over_f(rng: np.random.Generator, side: int) -> npt.NDArray[np.float32]:
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = np.inf
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    field = np.fft.irfft2(phases / frequency, s=(side, side))
    return np.asarray(field / field.std(), dtype=np.float32)
