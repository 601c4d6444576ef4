"""95 % intervals: of means over images and over pairs of images, and over few networks or folds.

Images are many, and drawn anew (percentile bootstrap); of networks and folds there are too few for
that, and Student's t serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

RESAMPLES = 10_000
ROUNDING = 1e-9  # what values that are the same differ by, as a share of them

Values = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A mean, and where it lies when what it is over is drawn anew; NaN where nothing tells."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """`+1.2 [+0.3, +2.1]`, without ends where there are none."""
        ends = "" if np.isnan(self.low) else f" [{self.low:+.3g}, {self.high:+.3g}]"
        return f"{self.mean:+.3g}{ends}"


def bootstrap(values: npt.ArrayLike, seed: int = 0) -> Interval:
    """Of the mean of values (N,), one an image."""
    known = np.asarray(values, dtype=np.float64)
    drawn = _counts(len(known), seed) @ known / len(known)
    return percentiles(float(known.mean()), drawn)


def bootstrap_pairs(values: Values, seed: int = 0) -> Interval:
    """Of the mean of values (N, N), one for each pair of different images.

    The diagonal and NaN do not count; an image that is drawn twice makes no pair with itself.
    """
    counted = ~np.isnan(values) & ~np.eye(len(values), dtype=bool)
    known = np.where(counted, values, 0)
    counts = _counts(len(values), seed)
    sums, pairs = (((counts @ each) * counts).sum(1) for each in (known, counted.astype(float)))
    mean = float(known.sum() / counted.sum()) if counted.any() else float("nan")
    return percentiles(mean, sums[pairs > 0] / pairs[pairs > 0])


def bootstrap_shares(shares: Values, seed: int = 0) -> Interval:
    """Of the mean of shares (N,) that take few values, in percent.

    As `bootstrap`, for a million images too: a resample of them is one draw of how often each value
    comes (0 and 1; k/5 where five networks are averaged).
    """
    values, counts = np.unique(shares, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(shares), counts / len(shares), size=RESAMPLES)
    return percentiles(100 * float(shares.mean()), 100 * drawn @ values / len(shares))


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Of the mean of a few values; without ends where there is one."""
    return t_contrast({"": values}, {"": 1.0}, level)


def t_contrast(
    groups: Mapping[str, Sequence[float]], weights: Mapping[str, float], level: float = 0.95
) -> Interval:
    """Of a weighted sum of the groups' means.

    A value's variance counts as the same in all groups and is pooled over them, those without a
    weight too, so that a group of one value has the spread of the others. The ends are NaN where no
    two values of a group differ: nothing tells then how far another draw would lie.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in groups.items()}
    effect = sum(weight * arrays[name].mean() for name, weight in weights.items())
    if not any(np.ptp(values) > ROUNDING * np.abs(values).max() for values in arrays.values()):
        return Interval(float(effect), np.nan, np.nan)
    squares = sum(((values - values.mean()) ** 2).sum() for values in arrays.values())
    freedom = sum(len(values) - 1 for values in arrays.values())
    share = sum(weight**2 / len(arrays[name]) for name, weight in weights.items())
    reach = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(squares / freedom * share))
    return Interval(float(effect), float(effect) - reach, float(effect) + reach)


def percentiles(mean: float, drawn: Values) -> Interval:
    """The middle 95 % of the resamples (R,) of a mean; no ends where there is none."""
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Interval(mean, float(low), float(high))


def _counts(images: int, seed: int) -> Values:
    """How often each image comes in each resample, (RESAMPLES, images)."""
    rng = np.random.default_rng(seed)
    even = np.full(images, 1 / images)
    return rng.multinomial(images, even, size=RESAMPLES).astype(np.float64)
