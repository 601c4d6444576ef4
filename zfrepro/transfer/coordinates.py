"""Features as a linear classifier needs them: centred, scaled, and in few coordinates.

A linear classifier with an L2 penalty has its weights in the span of its training images. So, where
an image has more numbers than there are training images, nothing is lost when these are given in
coordinates of an orthonormal basis of that span: the rows of the Cholesky factor L of their Gram
matrix. Weights W in these coordinates are the combination L^-T W of the training images, by which
the other images are scored. Gram matrix and scores are summed over blocks of columns, so that the
one large thing in memory is an n x n matrix: no pooling, no sampling. A ridge that single precision
needs gives each training image a coordinate of its own, of a hundredth of the mean length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import blas, lapack
from torch import Tensor

from zfrepro.transfer.classifiers import Floats, Linear

BLOCK = 64 << 20  # bytes of features in memory at a time
# Added to the Gram matrix, of which it is this share of the mean squared length. The matrix is
# singular (the images are centred), which by rounding to float32 becomes -5e-6 of that.
RIDGE = 1e-4

Ints = npt.NDArray[np.int64]


class Coordinates(Protocol):
    """Images to train on, `train`, float32 (n, d), and what a classifier makes of others."""

    @property
    def train(self) -> Tensor: ...

    def scores(self, model: Linear) -> Floats:
        """(m, classes) of the images to test."""


def coordinates(path: Path, train: Ints, test: Ints, block: int = BLOCK) -> Coordinates:
    """The features in the file `path` of the images `train` and `test`.

    The mean of the training images is subtracted; then one number divides all, so that the training
    images have a mean squared length of 1. Distances keep their ratios, and the strength of a
    classifier means the same at every layer.
    """
    columns = np.load(path, mmap_mode="r").shape[1]
    if columns <= len(train):
        x, y = (_read(path, rows, 0, columns) for rows in (train, test))
        return scaled(torch.from_numpy(x), torch.from_numpy(y))
    return Projected.of(path, train, test, max(1, block // (4 * (len(train) + len(test)))))


@dataclass(frozen=True)
class Scaled:
    """Features of few numbers: the coordinates are they themselves."""

    train: Tensor
    test: Tensor

    def scores(self, model: Linear) -> Floats:
        return model.scores(self.test)


def scaled(x: Tensor, y: Tensor) -> Scaled:
    """Of features in memory, to train on (n, d) and to test (m, d), which it overwrites."""
    mean = x.mean(0)
    x.sub_(mean)
    y.sub_(mean)
    length = float(x.square().sum(1).mean().sqrt()) or 1.0  # of a dead layer all is 0
    return Scaled(x.div_(length), y.div_(length))


@dataclass(frozen=True)
class Projected:
    """Features in the span of the training images, which are the rows of the factor `train`.

    Args:
        square: the mean squared length of the training images' features.
        step: columns of the file `path` in memory at a time.
    """

    train: Tensor
    square: float
    path: Path
    images: tuple[Ints, Ints]
    step: int

    @classmethod
    def of(cls, path: Path, train: Ints, test: Ints, step: int) -> Projected:
        # ordered as Fortran does, and of it the lower triangle: so BLAS works in place
        gram = np.zeros((len(train), len(train)), np.float32, order="F")
        for x, _ in _blocks(path, train, test[:0], step):
            gram = blas.ssyrk(1.0, x.T, 1.0, gram, trans=1, lower=1, overwrite_c=1)
        square = float(gram.diagonal().mean()) or 1.0  # of a dead layer all is 0
        gram /= square
        gram[np.diag_indices(len(gram))] += RIDGE
        factor, failed = lapack.spotrf(gram, lower=1, clean=1, overwrite_a=1)
        if failed:
            raise ValueError(f"{path}: the features of the images to train on are not finite")
        return cls(torch.from_numpy(factor), square, path, (train, test), step)

    def scores(self, model: Linear) -> Floats:
        weights, bias = (each.cpu().numpy() for each in (model.weights, model.bias))
        shares = blas.strsm(1.0, self.train.numpy(), weights, lower=1, trans_a=1) / self.square
        found = np.tile(bias, (len(self.images[1]), 1))
        for x, y in _blocks(self.path, *self.images, self.step):
            found += y @ (x.T @ shares)
        return found


def _blocks(path: Path, train: Ints, test: Ints, step: int) -> Iterator[tuple[Floats, Floats]]:
    """Features, less the mean of `train`, of `step` columns at a time."""
    columns = np.load(path, mmap_mode="r").shape[1]
    for start in range(0, columns, step):
        x, y = (_read(path, rows, start, min(start + step, columns)) for rows in (train, test))
        mean = x.mean(0)
        x -= mean
        y -= mean
        yield x, y


def _read(path: Path, rows: Ints, start: int, stop: int) -> Floats:
    """Some columns of some rows. Read and not mapped: a page that is mapped counts as memory."""
    features = np.load(path, mmap_mode="r")
    found = np.empty((len(rows), stop - start), np.float32)
    with path.open("rb", buffering=0) as file:
        for into, row in zip(found, rows.tolist(), strict=True):
            at = features.offset + 4 * (row * features.shape[1] + start)
            os.preadv(file.fileno(), [into.data], at)
    return found
