"""Errors of a trained network: one centre crop, or the average over ten (table 2's protocol)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from tqdm import tqdm

from zfrepro.data.crops import Crops
from zfrepro.data.store import Split
from zfrepro.files import atomic_path
from zfrepro.training.module import wrong_at
from zfrepro.training.trained import Trained, probabilities

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.int32()),
        ("top5", pa.list_(pa.int32())),
        ("probability", pa.float32()),  # of the true class
    ]
)


@dataclass(frozen=True)
class Errors:
    """Top-1 and top-5 error in percent over `images` images."""

    top1: float
    top5: float
    images: int


def predict(
    trained: Trained, split: Split, places: Crops, *, batch: int = 64, progress: str | None = None
) -> Iterator[tuple[npt.NDArray[np.int64], Tensor]]:
    """Batches of (image numbers (B,), probabilities (B, classes)), in the split's order."""
    starts = range(0, len(split), batch)
    for start in tqdm(starts, desc=progress, unit="batch", disable=None if progress else True):
        indices = np.arange(start, min(start + batch, len(split)))
        yield indices, probabilities(trained, split.read(indices), places)


def evaluate(
    trained: Trained, split: Split, places: Crops, predictions: Path, progress: str | None = None
) -> Errors:
    """Errors on `split`; each image's prediction goes to the Parquet file `predictions`."""
    wrong1 = wrong5 = 0.0
    with atomic_path(predictions) as path, pq.ParquetWriter(path, SCHEMA) as writer:
        for indices, scores in predict(trained, split, places, progress=progress):
            labels = torch.from_numpy(split.labels[indices])
            at1, at5 = wrong_at(scores, labels)
            wrong1, wrong5 = wrong1 + at1.item(), wrong5 + at5.item()
            writer.write_table(_rows(split, indices, scores, labels))
    percent = 100 / len(split)
    return Errors(wrong1 * percent, wrong5 * percent, len(split))


def _rows(split: Split, indices: npt.NDArray[np.int64], scores: Tensor, labels: Tensor) -> pa.Table:
    top5 = scores.topk(min(5, scores.shape[1])).indices.tolist()
    truth = scores.gather(1, labels[:, None])[:, 0].tolist()
    columns = [[split.paths[i] for i in indices], labels.tolist(), top5, truth]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )
