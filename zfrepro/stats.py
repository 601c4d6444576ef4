"""95 % intervals that count what varies: images, networks, folds, or several of these at once.

Images alone are many, and drawn anew (percentile bootstrap); of networks and folds there are too
few for that, and Student's t serves, with Satterthwaite's degrees of freedom where variances are
summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

RESAMPLES = 10_000
FEWEST = 3  # folds that tell how far others would lie
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


def bootstrap_difference(ours: npt.ArrayLike, theirs: npt.ArrayLike, seed: int = 0) -> Interval:
    """Of the difference of the means of values (N,) and (M,), each drawn by itself."""
    first, second = (np.asarray(each, dtype=np.float64) for each in (ours, theirs))
    drawn: Values = _counts(len(first), seed) @ first / len(first)
    less: Values = _counts(len(second), seed + 1) @ second / len(second)
    differences: Values = np.subtract(drawn, less)
    return percentiles(float(first.mean()) - float(second.mean()), differences)


def difference_of(ours: Interval, theirs: Interval) -> Interval:
    """Of two independent means with about symmetric intervals: their half widths add in squares."""
    halves = [(each.high - each.low) / 2 for each in (ours, theirs)]
    mean, reach = ours.mean - theirs.mean, hypot(*halves)
    return Interval(mean, mean - reach, mean + reach)


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


def two_way(values: Values, level: float = 0.95) -> Interval:
    """Of the mean of values (K networks, I images), where both are drawn anew.

    The variance of a mean over crossed random factors, (MS_net + MS_img - MS_res) / (K I), as in
    the marginal-mean analysis of readers and cases (Obuchowski and Rockette 1995; Hillis 2014), and
    no less than that of either factor alone. Of one network the images alone are drawn.
    """
    networks, images = values.shape
    mean = float(values.mean())
    if networks == 1 or images == 1:
        return t_interval(values.ravel().tolist(), level)
    rows, columns = values.mean(1), values.mean(0)
    residual = values - rows[:, None] - columns[None] + mean
    of_networks, of_images = images * rows.var(ddof=1), networks * columns.var(ddof=1)
    freedom = (networks - 1, images - 1)
    of_residual = float((residual**2).sum()) / (freedom[0] * freedom[1])
    terms = [
        Term(of_networks, freedom[0]),
        Term(of_images, freedom[1]),
        Term(-of_residual, freedom[0] * freedom[1]),
    ]
    return summed(mean, [Term(t.variance / values.size, t.freedom) for t in terms], level)


def resampled_folds(
    values: Sequence[float], train: float, test: float, level: float = 0.95
) -> Interval:
    """Of the mean over J folds that draw `train` and `test` images from one set, again and again.

    Folds share images, so that their spread says too little: variance s^2 (1 / J + test / train),
    the corrected resampled t of Nadeau and Bengio (2003). No ends of fewer than three folds.
    """
    found = np.asarray(values, dtype=np.float64)
    if len(found) < FEWEST:
        return Interval(float(found.mean()), np.nan, np.nan)
    variance = float(found.var(ddof=1)) * (1 / len(found) + test / train)
    return summed(float(found.mean()), [Term(variance, len(found) - 1)], level)


class Term(NamedTuple):
    """A mean square's share of a variance, and its degrees of freedom; negative: subtracted."""

    variance: float
    freedom: float


def summed(mean: float, terms: Sequence[Term], level: float = 0.95) -> Interval:
    """A mean whose variance is a sum of independent terms, at least the largest of them.

    Degrees of freedom by Satterthwaite (1946). No ends where nothing varies.
    """
    variance = sum(term.variance for term in terms)
    largest = max(terms, key=lambda term: term.variance)
    if variance <= largest.variance:
        variance, freedom = largest
    else:
        freedom = variance**2 / sum(t.variance**2 / t.freedom for t in terms if t.variance)
    if variance <= (ROUNDING * mean) ** 2:
        return Interval(mean, np.nan, np.nan)
    reach = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance))
    return Interval(mean, mean - reach, mean + reach)


def trainings_contrast(
    wrong: Mapping[str, Values], weights: Mapping[str, float], level: float = 0.95
) -> Interval:
    """Of a weighted sum of the errors of architectures, where trainings and images are drawn anew.

    Trainings: their spread is pooled over the architectures that were trained several times, and
    one that was trained once has that of the others. Images: the same for all. What trainings and
    images vary in together is in both, and counted once.

    Args:
        wrong: by architecture, (trainings, images): 1 where a network errs.
        weights: by architecture; 0 where none is given.
    """
    share = sum(weight**2 / len(wrong[name]) for name, weight in weights.items())
    images = next(iter(wrong.values())).shape[1]
    repeated = [each for each in wrong.values() if len(each) > 1]
    freedom = sum(len(each) - 1 for each in repeated)
    effects = sum(weight * wrong[name].mean(0) for name, weight in weights.items())
    mean = float(np.mean(effects))
    terms = [Term(float(np.var(effects, ddof=1)) / images, images - 1)]
    if freedom:
        deviations = [each - each.mean(0) for each in repeated]
        of_trainings = sum(float((d.mean(1) ** 2).sum()) for d in deviations) / freedom
        residuals = [d - d.mean(1, keepdims=True) for d in deviations]
        both = sum(float((r**2).sum()) for r in residuals) / (freedom * (images - 1)) / images
        terms += [
            Term(of_trainings * share, freedom),
            Term(-both * share, freedom * (images - 1)),
        ]
    return summed(mean, terms, level)


def bias_corrected(estimate: float, drawn: Values, level: float = 0.95) -> Interval:
    """The interval of resamples (R,) whose middle is not the estimate (Efron 1981, BC percentiles).

    A measure that a resample moves to one side, as average precision, has such a bootstrap.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(estimate, np.nan, np.nan)
    below = (np.sum(known < estimate) + 0.5 * np.sum(known == estimate)) / len(known)
    middle = float(ndtri(np.clip(below, 1 / len(known), 1 - 1 / len(known))))
    reach = float(ndtri((1 + level) / 2))
    ends = ndtr([2 * middle - reach, 2 * middle + reach])
    low, high = np.percentile(known, 100 * ends)
    return Interval(estimate, float(low), float(high))


def percentiles(mean: float, drawn: Values) -> Interval:
    """The middle 95 % of the resamples (R,) of a mean; no ends where there is none."""
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Interval(mean, float(low), float(high))


def _counts(images: int, seed: int) -> Values:
    """How often each image comes in each resample, (RESAMPLES, images)."""
    rng = np.random.default_rng(seed)
    even = np.full(images, 1 / images)
    return rng.multinomial(images, even, size=RESAMPLES).astype(np.float64)
