"""Intervals of means over few networks or folds, by Student's t: too few to draw from anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from zfrepro.analysis.bootstrap import Interval


def of_few(values: Sequence[float], level: float = 0.95) -> Interval:
    """Of the mean of values; without ends where there is one."""
    return of_contrast({"": values}, {"": 1.0}, level)


def of_contrast(
    groups: Mapping[str, Sequence[float]], weights: Mapping[str, float], level: float = 0.95
) -> Interval:
    """Of a weighted sum of the groups' means.

    A value's variance counts as the same in all groups and is pooled over them, those without a
    weight too, so that a group of one value has the spread of the others. The ends are NaN where no
    two values of a group differ: nothing tells then how far another draw would lie.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in groups.items()}
    effect = sum(weight * arrays[name].mean() for name, weight in weights.items())
    if not any(np.ptp(values) for values in arrays.values()):
        return Interval(float(effect), np.nan, np.nan)
    squares = sum(((values - values.mean()) ** 2).sum() for values in arrays.values())
    freedom = sum(len(values) - 1 for values in arrays.values())
    share = sum(weight**2 / len(arrays[name]) for name, weight in weights.items())
    reach = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(squares / freedom * share))
    return Interval(float(effect), float(effect) - reach, float(effect) + reach)
