"""Features as a linear classifier needs them: centred, scaled, and in few coordinates.

A linear classifier with an L2 penalty has its weights in the span of its training images. So, where
an image has more numbers than there are training images, nothing is lost when all images are
projected onto that span: with the Cholesky factor L of the training images' Gram matrix, the rows
of L are the training images in coordinates of an orthonormal basis. The Gram matrix is summed over
blocks of columns, which bounds the memory: no pooling, no sampling. A ridge that single precision
needs gives each training image a coordinate of its own, of a hundredth of the mean length.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch
from torch import Tensor

BLOCK = 64 << 20  # bytes of features in memory at a time
# Added to the Gram matrix, of which it is this share of the mean squared length. The matrix is
# singular (the images are centred), which by rounding to float32 becomes -5e-6 of that.
RIDGE = 1e-4

Ints = npt.NDArray[np.int64]


class Coordinates(NamedTuple):
    """Of the images to train on and to test, float32 (n, d) and (m, d)."""

    train: Tensor
    test: Tensor


def coordinates(path: Path, train: Ints, test: Ints, block: int = BLOCK) -> Coordinates:
    """The features in the file `path` of the images `train` and `test`.

    The mean of the training images is subtracted; then one number divides all, so that the training
    images have a mean squared length of 1. Distances keep their ratios, and the strength of a
    classifier means the same at every layer.
    """
    columns = np.load(path, mmap_mode="r").shape[1]
    if columns <= len(train):
        return scaled(*_read(path, train, test, 0, columns))
    gram, cross = torch.zeros(len(train), len(train)), torch.zeros(len(test), len(train))
    step = max(1, block // (4 * (len(train) + len(test))))
    for start in range(0, columns, step):
        x, y = _centred(*_read(path, train, test, start, start + step))
        gram.addmm_(x, x.T)
        cross.addmm_(y, x.T)
    return _projected(gram, cross)


def scaled(x: Tensor, y: Tensor) -> Coordinates:
    """The same of features in memory, to train on (n, d) and to test (m, d), which it overwrites.

    Without a projection: for features of few numbers.
    """
    x, y = _centred(x, y)
    length = _length(x.square().sum(1).mean())
    return Coordinates(x.div_(length), y.div_(length))


def _read(path: Path, train: Ints, test: Ints, start: int, stop: int) -> tuple[Tensor, Tensor]:
    # mapped anew for each block: what is read of a file counts as memory while it is mapped
    features = np.load(path, mmap_mode="r")
    x, y = (torch.from_numpy(features[rows, start:stop]) for rows in (train, test))
    return x, y


def _centred(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean(0)
    return x.sub_(mean), y.sub_(mean)


def _projected(gram: Tensor, cross: Tensor) -> Coordinates:
    """Destroys its arguments: at the paper's size each is the larger part of the memory."""
    square = _length(gram.diagonal().mean()) ** 2
    gram.div_(square).diagonal().add_(RIDGE)
    # as Fortran orders it, a symmetric matrix is its own transpose, and is factored in place
    factor = scipy.linalg.cholesky(gram.numpy().T, lower=True, overwrite_a=True, check_finite=False)
    lower = torch.from_numpy(factor)
    cross.div_(square)
    return Coordinates(lower, torch.linalg.solve_triangular(lower, cross.T, upper=False).T)


def _length(mean_square: Tensor) -> float:
    return float(mean_square.sqrt()) or 1.0  # of a dead layer all is 0
