"""What a network loses where a grey square covers the image (section 4.2, figure 7).

The paper gives neither the square's size and grey value nor its stride: `Square.of` scales those
of a crop of 224 pixels to any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from zfrepro.data.annotations import Box
from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.deconv import Deconvnet, strongest
from zfrepro.interp.graph import Graph
from zfrepro.interp.graph_deconv import GraphDeconvnet
from zfrepro.interp.responses import respond
from zfrepro.interp.windows import Reruns, WholeReruns, Windows

PAPER_CROP = 224

Grid = npt.NDArray[np.float64]  # one value for each place of the square: (down, across)


@dataclass(frozen=True)
class Square:
    """A square of `side` pixels of one grey value (0 to 255), moved by `stride` pixels."""

    side: int
    stride: int
    value: float

    @classmethod
    def of(cls, crop: int, *, side: int, stride: int, value: float) -> Self:
        """The square that covers as much of a crop as this one does of 224 x 224 pixels.

        Raises:
            ValueError: it does not fit there, or is not a square.
        """
        if not 0 <= value <= 255:
            raise ValueError(f"the square's grey is {value}: it can be 0 to 255")
        here, step = (max(round(length * crop / PAPER_CROP), 1) for length in (side, stride))
        if side < 1 or stride < 1 or here > crop:
            raise ValueError(
                f"a square of {side} pixels of {PAPER_CROP} (here {here} of {crop}) at a "
                f"stride of {stride} covers no part of an image"
            )
        return cls(here, step, value)

    def starts(self, size: int) -> list[int]:
        """First rows (or columns) of the square's places; the last may reach over the edge."""
        return [i * self.stride for i in range(ceil((size - self.side) / self.stride) + 1)]


@dataclass(frozen=True)
class Occluded:
    """What one image's network does at every place of the square, and when nothing is covered.

    Args:
        rows, columns: first pixels of the square's places.
        map: the layer's map with the highest peak in the image as it is.
        activation: sum of that map.
        probability: of the class `label`.
        best: the most probable class.
    """

    square: Square
    rows: list[int]
    columns: list[int]
    map: int
    label: int
    activation: Grid
    probability: Grid
    best: npt.NDArray[np.int64]
    clean_activation: float
    clean_probability: float
    clean_best: int

    def to_table(self) -> pd.DataFrame:
        """A row a place of the square."""
        rows, columns = np.meshgrid(self.rows, self.columns, indexing="ij")
        return pd.DataFrame({
            "top": rows.ravel(), "left": columns.ravel(), "map": self.map,
            "activation": self.activation.ravel(), "probability": self.probability.ravel(),
            "most_probable": self.best.ravel(),
        })  # fmt: skip


def occlude(
    chain: Chain | Graph,
    image: Tensor,
    grey: Tensor,
    square: Square,
    layer: str,
    label: int | None = None,
    *,
    number: int | None = None,
    batch: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> Occluded:
    """Moves the square over an image.

    Args:
        image, grey: the network's input for the image and for grey, (C, H, W).
        label: the true class; None: the most probable one.
        number: the map; None: the one with the highest peak.
        batch: how many places are worked on at a time.
        progress: told how many places are done, of how many.

    Raises:
        ChainError: no such layer, or one without maps.
    """
    height, width = image.shape[1:]
    clean, logits = respond(chain, image[None], [layer])
    if clean[layer].dim() != 4:
        raise ChainError(f"{layer} is a full layer: occlusion sums a map of a convolutional one")
    if number is None:
        number = int(clean[layer][0].amax((1, 2)).argmax())
    probabilities = logits[0].softmax(0)
    best = int(probabilities.argmax())
    label = best if label is None else label
    found = _everywhere(chain, image, grey, square, layer, number, label, batch, progress)
    activation, probability, most = found.numpy()
    return Occluded(
        square, square.starts(height), square.starts(width), number, label, activation, probability,
        most.astype(np.int64), float(clean[layer][0, number].sum()), float(probabilities[label]),
        best,
    )  # fmt: skip


def _everywhere(
    chain: Chain | Graph, image: Tensor, grey: Tensor, square: Square, layer: str, number: int,
    label: int, batch: int, progress: Callable[[int, int], None] | None,
) -> Tensor:  # fmt: skip
    """Sum of the map, probability of the label and most probable class: (3, rows, columns)."""
    rows, columns = (torch.tensor(square.starts(size)) for size in image.shape[1:])
    places = torch.cartesian_prod(rows, columns).to(image.device)
    reruns = WholeReruns(chain, image) if isinstance(chain, Graph) else Reruns(chain, image)
    found = []
    for part in torch.split(places, batch):
        maps, logits = reruns.respond(_covered(image, grey, square, part), [layer])
        scores = logits.softmax(1)
        values = (maps[layer][:, number].sum((1, 2)), scores[:, label], scores.argmax(1))
        found.append(torch.stack([each.double().cpu() for each in values]))
        if progress:
            progress(sum(piece.shape[1] for piece in found), len(places))
    return torch.cat(found, 1).view(3, len(rows), len(columns))


def _covered(image: Tensor, grey: Tensor, square: Square, places: Tensor) -> Windows:
    """The windows of the image that the square at `places` (B, 2) changes.

    Where the square reaches over the edge, its window is moved inside and keeps some of the image.
    """
    inner = [min(square.side, size) for size in image.shape[1:]]
    inside = [
        torch.minimum(places[:, i], places.new_tensor(image.shape[1 + i] - inner[i]))
        for i in range(2)
    ]
    rows, columns = (
        starts[:, None] + torch.arange(length, device=image.device)
        for starts, length in zip(inside, inner, strict=True)
    )
    at = rows[:, :, None], columns[:, None, :]
    under = (at[0] >= places[:, 0, None, None]) & (at[1] >= places[:, 1, None, None])
    values = torch.where(under, grey[:, *at], image[:, *at])  # (C, B, h, w)
    return Windows(values.permute(1, 0, 2, 3), *inside)


def projections(
    deconvnet: Deconvnet | GraphDeconvnet, layer: str, number: int, images: Tensor
) -> npt.NDArray[np.float32]:
    """The pixels of each image (N, C, H, W) that its peak of one map comes from, (N, H, W, C)."""
    seen = deconvnet.see(images, layer)
    pixels = deconvnet.project(seen, strongest(seen, [number])).whole(*images.shape[2:])
    whole: npt.NDArray[np.float32] = pixels.permute(0, 2, 3, 1).float().cpu().numpy()
    return whole


@dataclass(frozen=True)
class Drop:
    """Mean loss of the true class' probability with the square's centre on the object, and off."""

    on: float
    off: float

    @property
    def score(self) -> float:
        return self.on - self.off


def drop(occluded: Occluded, box: Box) -> Drop | None:
    """How much more it costs to cover the object than what is around it.

    A place counts as on the object where the square's centre lies in its box. None where every
    place does, or none.
    """
    half = occluded.square.side / 2
    down, across = (np.array(starts) + half for starts in (occluded.rows, occluded.columns))
    on = ((down >= box.top) & (down < box.bottom))[:, None] & (
        (across >= box.left) & (across < box.right)
    )
    if on.all() or not on.any():
        return None
    lost = occluded.clean_probability - occluded.probability
    return Drop(float(lost[on].mean()), float(lost[~on].mean()))
