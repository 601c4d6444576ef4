"""Sub-crops and mean subtraction (section 3 of the paper).

A crop is its place (top, left) and whether it is flipped. Images travel to the device as uint8
crops; the mean image is cut at the same places and subtracted there.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
Flips = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Crops:
    """Places of B crops: `tops`, `lefts` (pixels of the prepared image) and `flips`, each (B,)."""

    tops: Ints
    lefts: Ints
    flips: Flips

    def __getitem__(self, rows: Ints) -> Self:
        return type(self)(self.tops[rows], self.lefts[rows], self.flips[rows])


def ten_crops(image_size: int, crop: int) -> Crops:
    """The paper's ten sub-crops: four corners and centre, each as it is and flipped."""
    end, middle = image_size - crop, (image_size - crop) // 2
    places = np.array([(0, 0), (0, end), (end, 0), (end, end), (middle, middle)])
    places = np.concatenate([places, places])
    return Crops(places[:, 0], places[:, 1], np.arange(10) >= 5)


def centre_crop(image_size: int, crop: int) -> Crops:
    middle = np.array([(image_size - crop) // 2])
    return Crops(middle, middle, np.array([False]))


def draw(policy: str, count: int, image_size: int, crop: int, rng: np.random.Generator) -> Crops:
    """One random crop for each of `count` images.

    `policy` is "ten" (one of the ten sub-crops, section 3) or "random" (any place, any flip).

    Raises:
        ValueError: another policy.
    """
    if policy == "ten":
        return ten_crops(image_size, crop)[rng.integers(10, size=count)]
    if policy == "random":
        tops, lefts = rng.integers(image_size - crop + 1, size=(2, count))
        return Crops(tops, lefts, rng.random(count) < 0.5)
    raise ValueError(f"training.crops is {policy!r}; it can be 'ten' or 'random'")


def subtract_mean(
    images: Tensor, mean: Tensor, tops: Tensor, lefts: Tensor, flips: Tensor
) -> Tensor:
    """Crops minus the mean image at the same places, then mirrored where asked.

    Args:
        images: uint8 (B, c, c, 3).
        mean: float32 (S, S, 3).
        tops, lefts: int64 (B,), where in the prepared image each crop begins.
        flips: bool (B,).

    Returns:
        float32 (B, 3, c, c) in channels_last order, within about [-128, 128].
    """
    subtract = _subtract_in_turn if images.device.type == "cpu" else _subtract_at_once
    return subtract(images, mean, tops, lefts, flips).permute(0, 3, 1, 2)


def _subtract_in_turn(
    images: Tensor, mean: Tensor, tops: Tensor, lefts: Tensor, flips: Tensor
) -> Tensor:
    """One crop after the other, each in cache: on a CPU five times as fast as all at once."""
    crop = images.shape[1]
    centred = torch.empty(images.shape, dtype=mean.dtype)
    places = zip(tops.tolist(), lefts.tolist(), flips.tolist(), strict=True)
    for out, image, (top, left, flipped) in zip(centred, images, places, strict=True):
        torch.sub(image, mean[top : top + crop, left : left + crop], out=out)
        if flipped:
            out.copy_(out.flip(1))
    return centred


def _subtract_at_once(
    images: Tensor, mean: Tensor, tops: Tensor, lefts: Tensor, flips: Tensor
) -> Tensor:
    """In three kernels, and without a look at the places, for which a GPU would have to wait."""
    crop = images.shape[1]
    windows = mean.unfold(0, crop, 1).unfold(1, crop, 1)  # (S-c+1, S-c+1, 3, c, c), a view
    centred = images.float() - windows[tops, lefts].permute(0, 2, 3, 1)
    return torch.where(flips[:, None, None, None], centred.flip(2), centred)
