"""Classifiers that see next to nothing: what a net's error has to be compared with.

Each takes the class whose mean feature is nearest. One sees an image's mean colour, the other
a thumbnail of 8x8 grey levels. Where they do well, a net's low error says little.
"""

# numpy's stubs type most reductions as Any
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

THUMBNAIL = 8  # pixels each way
BATCH = 256  # images; bounds the memory

Features = npt.NDArray[np.float32]  # (B, dimensions)
Feature = Callable[[npt.NDArray[np.uint8]], Features]


class LabelledImages(Protocol):
    """What is needed of a split of a prepared set (`store.Split`)."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) class numbers."""
        ...

    def read(self, indices: npt.NDArray[np.int64], /) -> npt.NDArray[np.uint8]:
        """(B, S, S, 3) whole images."""
        ...


def mean_colour(images: npt.NDArray[np.uint8]) -> Features:
    """(B, 3): the mean of each channel."""
    return images.mean(axis=(1, 2), dtype=np.float32)


def grey_thumbnail(images: npt.NDArray[np.uint8]) -> Features:
    """(B, 64): the mean grey levels of an 8x8 grid of areas."""
    grey = images.mean(axis=3, dtype=np.float32)
    reduce = areas(grey.shape[1], THUMBNAIL)
    return (reduce @ grey @ reduce.T).reshape(len(images), -1)


FEATURES: dict[str, Feature] = {"mean_colour": mean_colour, "grey_thumbnail": grey_thumbnail}


def naive_errors(train: LabelledImages, val: LabelledImages) -> dict[str, float]:
    """Top-1 errors on `val`, in percent, of nearest class means learnt on `train`.

    The keys are those of `FEATURES`. Reads each image once and keeps none.

    Raises:
        ValueError: a split without images.
    """
    if not len(train.labels) or not len(val.labels):
        raise ValueError("naive errors need at least one training and one validation image")
    means = _class_means(train)
    wrong = dict.fromkeys(FEATURES, 0)
    for images, labels in _batches(val):
        for name, feature in FEATURES.items():
            wrong[name] += int((_nearest(feature(images), means[name]) != labels).sum())
    return {name: 100 * count / len(val.labels) for name, count in wrong.items()}


def _class_means(split: LabelledImages) -> dict[str, npt.NDArray[np.float64]]:
    """By feature, (classes, dimensions); rows of classes without images are infinite."""
    counts = np.bincount(split.labels)
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for images, labels in _batches(split):
        for name, feature in FEATURES.items():
            values = feature(images)
            total = sums.setdefault(name, np.zeros((len(counts), values.shape[1])))
            np.add.at(total, labels, values)
    filled = np.maximum(counts, 1)[:, None]
    return {
        name: np.where(counts[:, None] > 0, total / filled, np.inf) for name, total in sums.items()
    }


def _nearest(values: Features, means: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    distances = np.square(values[:, None, :] - means).sum(axis=2)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _batches(
    split: LabelledImages,
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    for start in range(0, len(split.labels), BATCH):
        indices = np.arange(start, min(start + BATCH, len(split.labels)))
        yield split.read(indices), split.labels[indices]


def areas(side: int, cells: int, start: float = 0.0, stop: float = 1.0) -> Features:
    """(cells, side): each row averages its part of `side` pixels, edge pixels by their share.

    `start` and `stop` cut off both ends, as shares of `side`.
    """
    edges = np.linspace(start * side, stop * side, cells + 1)
    pixels = np.arange(side)
    upper = np.minimum(pixels + 1, edges[1:, None])
    lower = np.maximum(pixels, edges[:-1, None])
    overlap = np.clip(upper - lower, 0, 1)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
