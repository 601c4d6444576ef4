"""95 % intervals of means over images, and of means over pairs of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000

Values = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A mean, and where it lies when the images are drawn anew."""

    mean: float
    low: float
    high: float


def of_images(values: npt.ArrayLike, seed: int = 0) -> Interval:
    """Of values (N,), one an image."""
    known = np.asarray(values, dtype=np.float64)
    drawn = _counts(len(known), seed) @ known / len(known)
    return _interval(float(known.mean()), drawn)


def of_pairs(values: Values, seed: int = 0) -> Interval:
    """Of values (N, N), one for each pair of different images; the diagonal and NaN do not count.

    An image that is drawn twice makes no pair with itself.
    """
    counted = ~np.isnan(values) & ~np.eye(len(values), dtype=bool)
    known = np.where(counted, values, 0)
    counts = _counts(len(values), seed)
    sums, pairs = (((counts @ each) * counts).sum(1) for each in (known, counted.astype(float)))
    mean = float(known.sum() / counted.sum()) if counted.any() else float("nan")
    return _interval(mean, sums[pairs > 0] / pairs[pairs > 0])


def _counts(images: int, seed: int) -> Values:
    """How often each image comes in each resample, (RESAMPLES, images)."""
    rng = np.random.default_rng(seed)
    even = np.full(images, 1 / images)
    return rng.multinomial(images, even, size=RESAMPLES).astype(np.float64)


def _interval(mean: float, drawn: Values) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Interval(mean, float(low), float(high))
