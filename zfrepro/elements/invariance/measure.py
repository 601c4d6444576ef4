"""How far features move when the image is moved, enlarged or turned (section 4, figure 5).

What is transformed is the whole prepared image, of which the network then sees the central crop:
what comes in from the border is real content where there is any, and the mean image beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, radians, sin
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from zfrepro.interp.chain import Chain
from zfrepro.interp.graph import Graph
from zfrepro.interp.responses import respond

PAPER_CROP = 224
MOST = 10_000  # of a kind
LEAST_SCALE = 0.01
EXAMPLES = 4  # transformed images that are shown of each
KINDS = {"translation": 0.0, "scale": 1.0, "rotation": 0.0}  # and what leaves an image as it is
COLUMNS = ["kind", "amount", "layer", "distance", "relative", "probability"]


@dataclass(frozen=True)
class Transformation:
    """One of `KINDS`.

    `amount` is in pixels downwards, a factor, or degrees anticlockwise.
    """

    kind: str
    amount: float

    def source(self, points: Tensor, size: int) -> Tensor:
        """Where in an image of `size` pixels the (x, y) of the transformed one come from."""
        if self.kind == "translation":
            return points - points.new_tensor([0.0, self.amount])
        centre = size / 2
        x, y = (points - centre).unbind(-1)
        if self.kind == "scale":
            return torch.stack([x, y], -1) / self.amount + centre
        angle = radians(self.amount)
        turned = x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)
        return torch.stack(turned, -1) + centre

    @classmethod
    def none(cls) -> Self:
        """What leaves the image as it is."""
        return cls("translation", 0.0)

    @property
    def oversampling(self) -> int:
        """How many samples across make one pixel without aliasing."""
        return max(ceil(1 / self.amount), 1) if self.kind == "scale" else 1


def transformations(
    crop: int, *, translation: Sequence[float], scale: Sequence[float], rotation: Sequence[float]
) -> list[Transformation]:
    """Each sequence is first, last and step. Translations are pixels of 224, scaled to the crop.

    A translation is of whole pixels here: nothing is interpolated then.

    Raises:
        ValueError: a sequence that is none, or a scale that leaves nothing.
    """
    found = []
    steps = {"translation": translation, "scale": scale, "rotation": rotation}
    for kind, values in steps.items():
        first, last, step = values if len(values) == 3 else (0, 0, 0)
        if not step > 0 or not 0 <= (last - first) / step < MOST:  # nor is nan
            raise ValueError(
                f"{kind} is {list(values)}: it takes first, last and a step above 0, for up to "
                f"{MOST} of them"
            )
        count = int((last - first) / step + 1e-9) + 1
        amounts = [round(first + i * step, 9) for i in range(count)]
        if kind == "translation":
            amounts = list(dict.fromkeys(float(round(a * crop / PAPER_CROP)) for a in amounts))
        if kind == "scale" and amounts[0] < LEAST_SCALE:
            raise ValueError(f"scale starts at {amounts[0]:g}: nothing is left of the image")
        found += [Transformation(kind, amount) for amount in amounts]
    return found


def transformed(image: Tensor, mean: Tensor, crop: int, wanted: Sequence[Transformation]) -> Tensor:
    """The network's input, (T, C, crop, crop), for each transformation of a prepared image.

    Args:
        image, mean: (S, S, C), between 0 and 255.

    Raises:
        ValueError: the image is of another size.
    """
    size = image.shape[0]
    if image.shape != mean.shape or not 0 < crop <= size:
        raise ValueError(
            f"an image of {tuple(image.shape)} does not fit a mean image of {tuple(mean.shape)} "
            f"and a crop of {crop}: prepare it at the network's size"
        )
    start = (size - crop) // 2
    here = mean[start : start + crop, start : start + crop].permute(2, 0, 1)
    # the image, and where there is some of it
    layers = torch.cat([image.double(), torch.ones(size, size, 1, device=image.device)], 2)
    source = layers.permute(2, 0, 1)[None]
    pictures = []
    for each in wanted:
        sampled = _sampled(source, each, start, crop)[0]
        pixels, covered = sampled[:-1].clamp(0, 255), sampled[-1:].clamp(0, 1)
        pictures.append((pixels - covered * here).float())
    return torch.stack(pictures)


def _sampled(source: Tensor, wanted: Transformation, start: int, crop: int) -> Tensor:
    """Bicubic samples of (1, C, S, S) at the crop's pixels, 0 beyond the edge.

    A picture that shrinks is sampled several times a pixel, and averaged.
    """
    finer, size = wanted.oversampling, source.shape[-1]
    along = start + (torch.arange(crop * finer, device=source.device).double() + 0.5) / finer
    points = torch.stack(torch.meshgrid(along, along, indexing="xy"), -1)
    grid = 2 * wanted.source(points, size) / size - 1
    samples = functional.grid_sample(source, grid[None], mode="bicubic", align_corners=False)
    return functional.avg_pool2d(samples, finer) if finer > 1 else samples


def curves(
    chain: Chain | Graph,
    inputs: Tensor,
    wanted: Sequence[Transformation],
    label: int | None,
    layers: Sequence[str],
    *,
    batch: int = 128,
) -> pd.DataFrame:
    """How features and the true class' probability change, a row a transformation and layer.

    `distance` is the Euclidean distance of a layer's activations to those of the image as it is,
    `relative` the same divided by the norm of those; NaN where that is 0.

    Args:
        inputs: of the network (1 + T, C, c, c): the image as it is, and `wanted`.
        label: the true class; None: the most probable one of the image as it is.

    Raises:
        ChainError: no such layer.
    """
    original, logits = respond(chain, inputs[:1], layers)
    label = int(logits[0].argmax()) if label is None else label
    moved: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    probabilities = []
    for part in torch.split(inputs[1:], batch):
        found, logits = respond(chain, part, layers)
        for layer in layers:
            moved[layer].append((found[layer] - original[layer]).flatten(1).norm(dim=1))
        probabilities.append(logits.softmax(1)[:, label])
    table = pd.DataFrame({
        "kind": [each.kind for each in wanted], "amount": [each.amount for each in wanted],
        "probability": _numbers(probabilities),
    })  # fmt: skip
    parts = []
    for layer in layers:
        distance = _numbers(moved[layer])
        norm = float(original[layer].norm()) or np.nan
        parts.append(table.assign(layer=layer, distance=distance, relative=distance / norm))
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _numbers(parts: Sequence[Tensor]) -> npt.NDArray[np.float64]:
    return torch.cat(list(parts)).cpu().numpy().astype(np.float64)


def mean_shift(table: pd.DataFrame, layer: str, kind: str, most: float) -> pd.Series[float]:
    """Of each image the mean relative distance over small transformations.

    Args:
        table: of `curves`, with a column `image`.
        most: how far from `KINDS[kind]` the amounts go that count; that itself does not.
    """
    away = (table["amount"] - KINDS[kind]).abs()
    small = (away > 1e-9) & (away <= most + 1e-9)
    rows = table[(table["layer"] == layer) & (table["kind"] == kind) & small]
    return rows.groupby("image")["relative"].mean()


def symmetry(picture: npt.NDArray[np.uint8]) -> float:
    """How like itself a picture (c, c, C) is when turned by 90, 180 and 270 degrees.

    The mean correlation of the pixels, within the largest circle; NaN where they are constant.
    """
    along = np.arange(len(picture)) + 0.5 - len(picture) / 2
    circle = along[:, None] ** 2 + along**2 <= (len(picture) / 2) ** 2
    turned = [np.rot90(picture, quarter)[circle].ravel() for quarter in range(4)]
    correlations: npt.NDArray[np.float64] = np.atleast_2d(np.corrcoef(turned))
    return float(correlations[0, 1:].mean())


def recovery(table: pd.DataFrame, layer: str) -> pd.Series[float]:
    """Of each image how much nearer to it its quarter turns are than turns halfway between them.

    In relative distance; halfway is within 15 degrees of the middle.

    Args:
        table: of `curves`, with a column `image`.
    """
    rows = table[(table["layer"] == layer) & (table["kind"] == "rotation")]
    past = rows["amount"] % 90
    quarter = rows[(past == 0) & (rows["amount"] % 360 != 0)]
    halfway = rows[(past >= 30) & (past <= 60)]
    by_image = (each.groupby("image")["relative"].mean() for each in (halfway, quarter))
    between, at = by_image
    return between - at


def examples(
    images: npt.NDArray[np.uint8], mean: Tensor, crop: int, wanted: Sequence[Transformation]
) -> dict[str, list[list[npt.NDArray[np.float32]]]]:
    """Of each kind, for each image (N, S, S, 3), the crops under some of the transformations.

    Each is (crop, crop, 3) between 0 and 1; from the least amount to the largest.
    """
    found: dict[str, list[list[npt.NDArray[np.float32]]]] = {}
    start = (images.shape[1] - crop) // 2
    here = mean[start : start + crop, start : start + crop]
    for kind in KINDS:
        mine = [each for each in wanted if each.kind == kind]
        some = [mine[i] for i in np.linspace(0, len(mine) - 1, EXAMPLES).round().astype(int)]
        found[kind] = [
            [
                ((inputs.permute(1, 2, 0) + here) / 255).clamp(0, 1).cpu().numpy()
                for inputs in transformed(torch.from_numpy(image).to(mean.device), mean, crop, some)
            ]
            for image in images
        ]
    return found
