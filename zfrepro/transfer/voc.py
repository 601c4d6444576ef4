"""PASCAL VOC 2012 classification: labels, average precision as the devkit has it, results files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from zfrepro import stats
from zfrepro.data.store import PreparedSet, StoreError
from zfrepro.files import atomic_write

RESAMPLES = 1000
AT_ONCE = 50  # resamples in memory

Signs = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def presence(prepared: PreparedSet, splits: Sequence[str]) -> Signs:
    """(N, classes) of the good images of `splits`, one split after the other.

    1: the class is present; 0: with objects marked difficult alone; -1: it is not.

    Raises:
        StoreError: there is no `objects.parquet`, or it is of other images.
    """
    path = prepared.folder / "objects.parquet"
    if not path.is_file():
        raise StoreError(f"{path} is not there: `dvc repro -f prepare@voc2012` makes it")
    objects = pd.read_parquet(path)
    names = [identity for identity, _ in prepared.classes]
    found = []
    for split in splits:
        of_split = objects[objects["split"] == split].sort_values("image")
        if of_split["path"].tolist() != prepared.split(split).paths:
            raise StoreError(
                f"{path} is of other images than split {split}: `dvc repro -f prepare@voc2012`"
            )
        found.append(of_split[names].to_numpy(np.int8))
    return np.concatenate(found)


def average_precision(
    scores: npt.NDArray[np.floating], truth: Signs, weights: Doubles | None = None
) -> Doubles:
    """The area under the monotone precision-recall curve of one class (devkit of VOC 2010-2012).

    Images come by falling score, those of equal score in their own order; precision at a recall is
    the best at that recall or a higher one; images with truth 0 count neither way.

    Args:
        scores: (N,), truth: (N,) of 1, 0 and -1.
        weights: (R, N) how often each image counts, for R resamples; else each counts once.

    Returns:
        (R,) in percent, R = 1 without weights; NaN where no image shows the class.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    counts = np.ones((1, len(order))) if weights is None else weights
    truth, counts = truth[order], counts[:, order]
    shown = np.cumsum(counts * (truth > 0), axis=1)
    total = shown[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = shown / np.cumsum(counts * (truth != 0), axis=1)
        recall = shown / total
    precision = np.nan_to_num(precision)  # 0 / 0 before the first image that counts
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Doubles = 100 * (np.diff(recall, axis=1, prepend=0) * best).sum(1)
    return area


def mean_average_precision(scores: Floats, truth: Signs) -> float:
    """Over the classes that any image shows, in percent; both (N, classes)."""
    shown = np.flatnonzero((truth > 0).any(0))
    return float(np.mean([average_precision(scores[:, k], truth[:, k])[0] for k in shown]))


def interval(scores: Floats, truth: Signs, seed: int = 0) -> pd.DataFrame:
    """Average precision with the ends of its 95 % bootstrap interval over images, bias-corrected.

    One line a class and, last, their mean; columns ap, low and high, in percent. A class of which a
    resample shows no image is left out of that resample.
    """
    images, classes = scores.shape
    rng = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, classes))
    for start in range(0, RESAMPLES, AT_ONCE):
        weights = rng.multinomial(images, np.full(images, 1 / images), size=AT_ONCE).astype(float)
        for k in range(classes):
            found = average_precision(scores[:, k], truth[:, k], weights)
            drawn[start : start + AT_ONCE, k] = found
    once = [average_precision(scores[:, k], truth[:, k])[0] for k in range(classes)]
    values = np.append(once, np.nanmean(once))
    drawn = np.column_stack([drawn, np.nanmean(drawn, axis=1)])
    intervals = [stats.bias_corrected(*pair) for pair in zip(values, drawn.T, strict=True)]
    return pd.DataFrame(intervals, columns=["ap", "low", "high"])


def write_results(
    folder: Path, split: str, names: Sequence[str], paths: Sequence[str], scores: Floats
) -> None:
    """The devkit's files, `comp1_cls_<split>_<class>.txt`: an image's id and its confidence.

    Digits enough that the order of the confidences is that of `scores` (N, classes).

    Raises:
        ValueError: a class after which no file can be named.
    """
    if strange := [name for name in names if "/" in name]:
        raise ValueError(f"class {strange[0]!r}: no file of results can be named after it")
    ids = [Path(path).stem for path in paths]
    for name, column in zip(names, scores.T, strict=True):
        lines = [f"{i} {value:.9g}\n" for i, value in zip(ids, column.tolist(), strict=True)]
        atomic_write(folder / f"comp1_cls_{split}_{name}.txt", "".join(lines))
