"""Colours: every image draws its own set about the typical hue of its class."""

import colorsys
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float32]  # (3,) red, green, blue, 0 to 1
Palette = Mapping[str, Colour]

HUE_SPREAD = 50.0  # degrees either way: neighbouring classes overlap widely
ANY_HUE_SHARE = 0.2  # of the images take no notice of their class's hue


def colour(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (degrees, any number), saturation and value (0 to 1, cut off there)."""
    level = min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    return np.array(colorsys.hsv_to_rgb(hue / 360 % 1, *level), dtype=np.float32)


def palette(rng: np.random.Generator, hue: float) -> Palette:
    """The colours of one image, by the names that parts use for them.

    `second` differs from `main` in brightness, and which of the two is the brighter is chance,
    so that a texture shows in grey as well and its mean tells nothing.
    """
    if rng.random() < ANY_HUE_SHARE:
        hue = rng.uniform(0, 360)
    hue += rng.uniform(-HUE_SPREAD, HUE_SPREAD)
    bright, dim = rng.uniform(0.72, 1.0), rng.uniform(0.16, 0.42)
    main, second = (bright, dim) if rng.random() < 0.6 else (dim + 0.1, bright)
    vivid = rng.uniform(0.35, 0.9)
    return {
        "main": colour(hue, vivid, main),
        "second": colour(hue + rng.normal(0, 35), vivid * rng.uniform(0.4, 1.0), second),
        "accent": colour(hue + rng.normal(0, 30), vivid * 0.7, rng.uniform(0.6, 1.0)),
        "nose": colour(rng.uniform(330, 380), 0.4, rng.uniform(0.5, 0.9)),
        "beak": colour(rng.uniform(25, 50), 0.85, rng.uniform(0.75, 1.0)),
        "pale": colour(hue, rng.uniform(0.05, 0.25), rng.uniform(0.82, 1.0)),
        "light": colour(hue, 0.04, 0.97),
        "dark": colour(hue, rng.uniform(0.1, 0.5), rng.uniform(0.06, 0.16)),
        "glass": colour(rng.uniform(170, 230), rng.uniform(0.1, 0.25), rng.uniform(0.8, 1.0)),
        "wood": colour(rng.uniform(20, 40), 0.55, rng.uniform(0.4, 0.65)),
        "green": colour(rng.uniform(85, 140), rng.uniform(0.5, 0.8), rng.uniform(0.35, 0.7)),
    }
