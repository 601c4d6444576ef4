"""Whether a network knows more than how frequent each class is."""

import numpy as np
import numpy.typing as npt

DOUBT = 0.025  # one side of a 95 % interval


def majority_error(labels: npt.NDArray[np.int64]) -> float:
    """The error, in percent, of always naming the most frequent class of these labels (N,)."""
    _, counts = np.unique(labels, return_counts=True)
    return 100 * (1 - float(counts.max()) / len(labels))


def at_chance(error: float, labels: npt.NDArray[np.int64]) -> bool:
    """Whether an error (percent) on images with these labels (N,) may be mere guessing.

    It may where guesses, each right as often as the most frequent class is the true one, get as
    many right, or more, with a probability above 2.5 % (binomial).
    """
    from scipy.special import bdtrc  # noqa: PLC0415  which no training needs

    right = round(len(labels) * (1 - error / 100))
    share = 1 - majority_error(labels) / 100
    return right == 0 or bool(bdtrc(right - 1, len(labels), share) > DOUBT)
