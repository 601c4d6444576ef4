"""Features as a linear classifier needs them: centred, scaled, and in few coordinates.

A linear classifier with an L2 penalty has its weights in the span of its training images. So, where
an image has more numbers than there are training images, nothing is lost when these are given in
coordinates of an orthonormal basis of that span: the rows of the Cholesky factor L of their Gram
matrix. Weights W in these coordinates are the combination L^-T W of the training images, by which
the other images are scored. Gram matrix and scores are summed over blocks of columns, so that the
one large thing in memory is half an n x n matrix: no pooling, no sampling. A ridge that single
precision needs gives each training image a coordinate of its own, of a hundredth of the mean
length.

All of it is computed on the device that is asked for, in single precision: what rounding leaves of
a sum over 290,400 numbers is a twentieth of the ridge, so that double precision, twice as slow on
an A100 and 64 times on an RTX 4090, would decide nothing.
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
from torch import Tensor

from zfrepro.transfer.classifiers import Floats, Linear
from zfrepro.transfer.rows import BLOCK, Rows

# Of features in memory at a time: a GPU is kept busy by longer reads and larger products
BYTES = {"cpu": 64 << 20, "cuda": 1 << 30}
# Added to the Gram matrix, of which it is this share of the mean squared length. The matrix is
# singular (the images are centred), which by rounding to float32 becomes -5e-6 of that.
RIDGE = 1e-4

Ints = npt.NDArray[np.int64]


class Coordinates(Protocol):
    """Images to train on, `train`, float32 (n, d), and what a classifier makes of others."""

    @property
    def train(self) -> Rows: ...

    def scores(self, model: Linear) -> Floats:
        """(m, classes) of the images to test, by a model that is where `train` is."""


def coordinates(
    path: Path,
    train: Ints,
    test: Ints,
    device: torch.device = torch.device("cpu"),  # noqa: B008  a constant
    size: int | None = None,
) -> Coordinates:
    """The features in the file `path` of the images `train` and `test`, on `device`.

    The mean of the training images is subtracted; then one number divides all, so that the training
    images have a mean squared length of 1. Distances keep their ratios, and the strength of a
    classifier means the same at every layer.

    Args:
        size: bytes of features in memory at a time; None: what suits the device.
    """
    columns = np.load(path, mmap_mode="r").shape[1]
    if columns <= len(train):
        return scaled(*(_read(path, rows, 0, columns).to(device) for rows in (train, test)))
    row = 4 * (len(train) + len(test))
    step = max(1, (size or BYTES[device.type]) // row)
    return Projected.of(path, train, test, step, device)


@dataclass(frozen=True)
class Scaled:
    """Features of few numbers: the coordinates are they themselves."""

    train: Rows
    test: Rows

    def scores(self, model: Linear) -> Floats:
        return model.scores(self.test)


def scaled(x: Tensor, y: Tensor) -> Scaled:
    """Of features in memory, to train on (n, d) and to test (m, d), which it overwrites."""
    mean = x.mean(0)
    x.sub_(mean)
    y.sub_(mean)
    length = float(x.square().sum(1).mean().sqrt()) or 1.0  # of a dead layer all is 0
    return Scaled(Rows.of(x.div_(length)), Rows.of(y.div_(length)))


@dataclass(frozen=True)
class Projected:
    """Features in the span of the training images, which are the rows of the factor `train`.

    Args:
        square: the mean squared length of the training images' features.
        step: columns of the file `path` in memory at a time.
    """

    train: Rows
    square: float
    path: Path
    images: tuple[Ints, Ints]
    step: int

    @classmethod
    def of(cls, path: Path, train: Ints, test: Ints, step: int, device: torch.device) -> Projected:
        sizes = [(start, min(start + BLOCK, len(train))) for start in range(0, len(train), BLOCK)]
        gram = Rows([torch.zeros(stop - start, stop, device=device) for start, stop in sizes])
        for x, _ in _blocks(path, train, test[:0], step, device):
            for rows, block in gram:
                block.addmm_(x[rows], x[: rows.stop].T)
        square = float(torch.cat([block[:, rows].diagonal() for rows, block in gram]).mean())
        square = square or 1.0  # of a dead layer all is 0
        for rows, block in gram:
            block.div_(square)[:, rows].diagonal().add_(RIDGE)
        try:
            factorise(gram)
        except ValueError as error:
            message = f"{path}: the features of the images to train on are not finite"
            raise ValueError(message) from error
        return cls(gram, square, path, (train, test), step)

    def scores(self, model: Linear) -> Floats:
        shares = solved(self.train, model.weights).div_(self.square)
        found = model.bias.repeat(len(self.images[1]), 1)
        for x, y in _blocks(self.path, *self.images, self.step, self.train.device):
            found.addmm_(y, x.T @ shares)
        scores: Floats = found.cpu().numpy()
        return scores


def factorise(gram: Rows) -> None:
    """Makes its Cholesky factor of the lower half of a positive definite matrix, in place.

    Raises:
        ValueError: it is not positive definite.
    """
    for rows, block in gram:
        for above, factor in gram:
            here, before = block[:, above], slice(0, above.start)
            here.addmm_(block[:, before], factor[:, before].T, alpha=-1)
            if above == rows:
                own, failed = torch.linalg.cholesky_ex(here)
                if failed:
                    raise ValueError("the matrix is not positive definite")
                here.copy_(own)
                break
            triangle = factor[:, above].T
            here.copy_(torch.linalg.solve_triangular(triangle, here, upper=True, left=False))


def solved(factor: Rows, wanted: Tensor) -> Tensor:
    """The (n, k) whose product with the transposed Cholesky factor is `wanted`, (n, k)."""
    found = wanted.clone()
    for rows, block in reversed(list(factor)):
        triangle = block[:, rows].T
        found[rows] = torch.linalg.solve_triangular(triangle, found[rows], upper=True)
        found[: rows.start].addmm_(block[:, : rows.start].T, found[rows], alpha=-1)
    return found


def _blocks(
    path: Path, train: Ints, test: Ints, step: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Features, less the mean of `train`, of `step` columns at a time.

    A GPU multiplies one block while the next is read: nothing here waits for it.
    """
    columns = np.load(path, mmap_mode="r").shape[1]
    for start in range(0, columns, step):
        stop = min(start + step, columns)
        x, y = (_read(path, rows, start, stop).to(device) for rows in (train, test))
        mean = x.mean(0)
        yield x.sub_(mean), y.sub_(mean)


def _read(path: Path, rows: Ints, start: int, stop: int) -> Tensor:
    """Some columns of some rows. Read and not mapped: a page that is mapped counts as memory."""
    features = np.load(path, mmap_mode="r")
    found = np.empty((len(rows), stop - start), np.float32)
    with path.open("rb", buffering=0) as file:
        for into, row in zip(found, rows.tolist(), strict=True):
            at = features.offset + 4 * (row * features.shape[1] + start)
            os.preadv(file.fileno(), [into.data], at)
    return torch.from_numpy(found)
