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
from scipy.spatial.distance import cdist

THUMBNAIL = 8  # pixels each way
BATCH = 256  # images; bounds the memory
CACHED = 8  # images that a core's cache holds as single precision: all at once take twice as long

Features = npt.NDArray[np.float32]  # (B, dimensions)
Thumbnails = npt.NDArray[np.float32]  # (B, 8, 8, 3)
Feature = Callable[[Thumbnails], Features]


class LabelledImages(Protocol):
    """What is needed of a split of a prepared set (`store.Split`)."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) class numbers."""
        ...

    def read(self, indices: npt.NDArray[np.int64], /) -> npt.NDArray[np.uint8]:
        """(B, S, S, 3) whole images."""
        ...


def thumbnails(images: npt.NDArray[np.uint8]) -> Thumbnails:
    """The means of each channel of images (B, S, S, 3) in an 8x8 grid of areas."""
    size = images.shape[1]
    reduce = areas(size, THUMBNAIL)
    found = np.empty((len(images), THUMBNAIL, THUMBNAIL, 3), dtype=np.float32)
    for start in range(0, len(images), CACHED):
        part = images[start : start + CACHED].reshape(-1, size, 3 * size).astype(np.float32)
        found[start : start + CACHED] = reduce @ (reduce @ part).reshape(-1, THUMBNAIL, size, 3)
    return found


def mean_colour(pictures: Thumbnails) -> Features:
    """(B, 3): the mean of each channel, since all areas are of one size."""
    return pictures.mean(axis=(1, 2))


def grey_thumbnail(pictures: Thumbnails) -> Features:
    """(B, 64): the mean grey levels."""
    return pictures.mean(axis=3).reshape(len(pictures), -1)


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
    for pictures, labels in _batches(val):
        for name, feature in FEATURES.items():
            nearest = cdist(feature(pictures), means[name], "sqeuclidean").argmin(axis=1)
            wrong[name] += int((nearest != labels).sum())
    return {name: 100 * count / len(val.labels) for name, count in wrong.items()}


def _class_means(split: LabelledImages) -> dict[str, npt.NDArray[np.float64]]:
    """By feature, (classes, dimensions); rows of classes without images are infinite."""
    counts = np.bincount(split.labels)
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for pictures, labels in _batches(split):
        for name, feature in FEATURES.items():
            values = feature(pictures)
            total = sums.setdefault(name, np.zeros((len(counts), values.shape[1])))
            np.add.at(total, labels, values)
    filled = np.maximum(counts, 1)[:, None]
    return {
        name: np.where(counts[:, None] > 0, total / filled, np.inf) for name, total in sums.items()
    }


def _batches(split: LabelledImages) -> Iterator[tuple[Thumbnails, npt.NDArray[np.int64]]]:
    for start in range(0, len(split.labels), BATCH):
        indices = np.arange(start, min(start + BATCH, len(split.labels)))
        yield thumbnails(split.read(indices)), split.labels[indices]


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
