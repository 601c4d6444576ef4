"""Errors of a trained network: one centre crop, or the average over ten (table 2's protocol)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from tqdm import tqdm

from zfrepro.data import crops
from zfrepro.data.crops import Crops, flip, subtract_mean
from zfrepro.data.store import Split
from zfrepro.files import atomic_path
from zfrepro.models.convnet import ConvNet, build
from zfrepro.training.module import wrong_at

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.int32()),
        ("top5", pa.list_(pa.int32())),
        ("probability", pa.float32()),  # of the true class
    ]
)


@dataclass(frozen=True)
class Trained:
    """A network with what it needs to read images: mean (3, S, S), crop and class names.

    `precision` is the one it was trained in, so that errors agree with those of the training.
    """

    net: ConvNet
    mean: Tensor
    image_size: int
    crop: int
    classes: list[tuple[str, str]]
    precision: str = "32-true"


@dataclass(frozen=True)
class Errors:
    """Top-1 and top-5 error in percent over `images` images."""

    top1: float
    top5: float
    images: int


def load(path: Path) -> Trained:
    """The network in a run's `weights.pt`, ready to evaluate.

    Raises:
        ValueError: the file holds no network of this project.
    """
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    try:
        net = build(**content["model"])
        net.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} holds no network of this project: {error}") from error
    classes = [(identity, name) for identity, name in content["classes"]]
    net = net.eval().to(memory_format=torch.channels_last)
    return Trained(
        net, content["mean"], content["image_size"], content["crop"], classes, content["precision"]
    )


def views(name: str, image_size: int, crop: int) -> Crops:
    """The crops that a prediction averages over: "centre" or "ten"."""
    makers = {"centre": crops.centre_crop, "ten": crops.ten_crops}
    return makers[name](image_size, crop)


@torch.inference_mode()
def probabilities(trained: Trained, images: npt.NDArray[np.uint8], places: Crops) -> Tensor:
    """Softmax averaged over the crops `places`: float32 (B, classes).

    Args:
        images: prepared images, uint8 (B, S, S, 3).
        places: the K crops taken of each image.
    """
    device = next(trained.net.parameters()).device
    pixels, mean = torch.from_numpy(images).to(device), trained.mean.to(device)
    total: Tensor | None = None
    for top, left, flipped in zip(places.tops, places.lefts, places.flips, strict=True):
        here = pixels[:, top : top + trained.crop, left : left + trained.crop]
        corner = torch.full((len(images),), int(top)), torch.full((len(images),), int(left))
        crop = subtract_mean(here, mean, *corner)
        with torch.autocast(device.type, torch.bfloat16, trained.precision == "bf16-mixed"):
            logits = trained.net(flip(crop, torch.full((len(images),), bool(flipped))))
        part = logits.float().softmax(1)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("no crops to average over")
    return total / len(places.tops)


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
