"""Images that two sets share, found by normalised correlation (section 5.2 of the paper).

The paper does not say of what. Here in two steps, both of grey thumbnails less their mean, at unit
length. Of all pairs of images, those whose thumbnails correlate `candidate` or more are taken: that
is a matrix product, a block at a time, and no pair is left out. Of these, pairs are shared whose
thumbnails correlate `threshold` or more once aligned, the whole of one with any slight crop of the
other: a cropped copy is as near as a recompressed one, and other images hardly come nearer.
"""

# numpy's stubs type most ufuncs as Any
# mypy: disable-error-code="no-any-return"

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from zfrepro.data.naive import areas
from zfrepro.data.store import PreparedSet
from zfrepro.files import keep, kept
from zfrepro.workers import worker_processes

GREY = 32  # pixels each way of what is kept of an image
CUTS = (0.0, 0.025, 0.05)  # cut off an image at each side, as shares of it, to align it
BLOCK = 4096  # images on either side of a product, whose result has 64 MiB
READ = 64  # images read at a time
ALIGNED = 256  # pairs aligned at a time
MOST = 1_000_000  # pairs: more are no overlap, but a threshold that is too low
FLAT = 0.5  # grey levels of deviation: an image below shows nothing to compare

Greys = npt.NDArray[np.uint8]  # (N, GREY, GREY)
Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class OverlapError(ValueError):
    """Correlations that tell no shared images from others."""


@dataclass(frozen=True)
class Rule:
    """When two images are the same.

    Attributes:
        side: of the thumbnails.
        candidate: least correlation of the whole images.
        threshold: least correlation of the aligned ones.
    """

    side: int
    candidate: float
    threshold: float


class Pairs(NamedTuple):
    """Images of two sets, by number, with the correlation once aligned: the strongest first."""

    sources: Ints
    others: Ints
    correlations: Vectors


def greys(images: npt.NDArray[np.uint8]) -> Greys:
    """Mean grey levels of the areas of images (B, S, S, 3)."""
    size = images.shape[1]
    reduce = areas(size, GREY)
    # channels and columns in one product: (B S, 3 S) -> (B, S, GREY)
    across = np.repeat(reduce, 3, axis=1).T / np.float32(3)
    rows = images.reshape(-1, 3 * size).astype(np.float32) @ across
    return np.rint(reduce @ rows.reshape(len(images), size, GREY)).astype(np.uint8)


def vectors(greys: Greys, side: int) -> Vectors:
    """(N, side * side) thumbnails less their mean, of length 1; 0 for an image of one grey."""
    reduce = areas(GREY, side)
    values = (reduce @ greys.astype(np.float32) @ reduce.T).reshape(len(greys), -1)
    values -= values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.where(length > FLAT * side, values / np.maximum(length, FLAT), 0)


def aligned(first: Greys, second: Greys, side: int) -> Vectors:
    """(B,) the highest correlation of the whole of either image with a slight crop of the other."""
    parts = [
        np.maximum(_best_crop(a, b, side), _best_crop(b, a, side))
        for start in range(0, len(first), ALIGNED)
        for a, b in [(first[start : start + ALIGNED], second[start : start + ALIGNED])]
    ]
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def shared(blocks: Iterable[Greys], others: Greys, rule: Rule) -> Pairs:
    """The pairs of an image of `blocks` and one of `others` that are the same by `rule`.

    Holds one block, `others` and one product of `BLOCK` x `BLOCK` in memory, and the pairs.

    Raises:
        OverlapError: more than `MOST` pairs.
    """
    found: list[Pairs] = []
    right = vectors(others, rule.side)
    base = 0
    for block in blocks:
        left = vectors(block, rule.side)
        for rows, columns in _candidates(left, right, rule.candidate):
            correlations = aligned(block[rows], others[columns], rule.side)
            same = correlations >= rule.threshold
            found.append(Pairs(rows[same] + base, columns[same], correlations[same]))
        base += len(block)
        if sum(len(pairs.sources) for pairs in found) > MOST:
            raise OverlapError(
                f"more than {MOST:,} pairs of images correlate {rule.threshold} or more: "
                "raise overlap.threshold in conf/analysis.yaml"
            )
    return _sorted(found)


def collect(
    prepared: PreparedSet, split: str, folder: Path, *, workers: int = 1, progress: bool = True
) -> list[Path]:
    """`greys` of a split in files of `folder`, `BLOCK` images each; those that are there are kept.

    So a start after a kill goes on, and `folder` has to be named after what decides them.
    """
    images = len(prepared.split(split))
    starts = range(0, images, BLOCK)
    paths = [folder / f"{split}-{number:05d}.gz" for number in range(len(starts))]
    tasks = [
        (prepared, split, start, min(start + BLOCK, images), path)
        for start, path in zip(starts, paths, strict=True)
        if kept(path) is None
    ]
    with tqdm(
        desc=f"thumbnails of {split}", unit="image", total=images,
        initial=images - sum(stop - start for _, _, start, stop, _ in tasks),
        disable=None if progress else True,
    ) as bar:  # fmt: skip
        for done in _made(tasks, workers if len(tasks) > 1 else 1):
            bar.update(done)
    return paths


def read(path: Path) -> Greys:
    """One of the files that `collect` has made."""
    return np.frombuffer(kept(path) or b"", dtype=np.uint8).reshape(-1, GREY, GREY)


def _candidates(left: Vectors, right: Vectors, least: float) -> Iterator[tuple[Ints, Ints]]:
    """Rows and columns of all products of at least `least`, a block of `right` at a time."""
    buffer = np.empty((len(left), min(BLOCK, len(right))), dtype=np.float32)
    for first in range(0, len(right), BLOCK):
        part = right[first : first + BLOCK]
        products = buffer if len(part) == buffer.shape[1] else buffer[:, : len(part)].copy()
        np.matmul(left, part.T, out=products)
        rows, columns = np.divmod(np.flatnonzero(products >= least), len(part))
        if len(rows):
            yield rows, columns + first


def _best_crop(cropped: Greys, whole: Greys, side: int) -> Vectors:
    """(B,) the highest correlation of crops of one image with the whole of another."""
    crops = _crops(side)  # (V, side, GREY): V ways to cut one direction
    flat = crops.reshape(-1, GREY).T
    columns = cropped.reshape(-1, GREY).astype(np.float32) @ flat  # (B GREY, V side)
    turned = columns.reshape(len(cropped), GREY, -1).transpose(0, 2, 1).reshape(-1, GREY)
    ways = len(crops)
    values = (turned @ flat).reshape(len(cropped), ways, side, ways, side)  # columns, then rows
    unit = vectors(whole, side).reshape(-1, side, side).transpose(0, 2, 1)
    products = np.einsum("bvxwy,bxy->bvw", values, unit)
    total = np.einsum("bvxwy->bvw", values)
    square = np.einsum("bvxwy,bvxwy->bvw", values, values)
    length = np.sqrt(np.maximum(square - total * total / side**2, (FLAT * side) ** 2))
    return (products / length).max(axis=(1, 2))


@cache
def _crops(side: int) -> Vectors:
    return np.stack([areas(GREY, side, start, 1 - stop) for start in CUTS for stop in CUTS])


def _made(tasks: list[tuple[PreparedSet, str, int, int, Path]], workers: int) -> Iterator[int]:
    if workers <= 1:
        for task in tasks:
            yield _make(*task)
        return
    with worker_processes(workers) as pool:
        for done in [pool.submit(_make, *task) for task in tasks]:
            yield done.result()


def _make(prepared: PreparedSet, split: str, start: int, stop: int, path: Path) -> int:
    images = prepared.split(split)
    numbers = np.arange(start, stop)
    block = [greys(images.read(numbers[i : i + READ])) for i in range(0, len(numbers), READ)]
    keep(path, np.concatenate(block).tobytes())
    return len(numbers)


def _sorted(found: Sequence[Pairs]) -> Pairs:
    none = np.zeros(0, dtype=np.int64)
    parts = [Pairs(none, none, np.zeros(0, dtype=np.float32)), *found]
    sources, others, correlations = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((others, sources, -correlations))
    return Pairs(sources[order], others[order], correlations[order])
