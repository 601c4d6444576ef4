"""A trained network read back from a run's `weights.pt`, and its averaged predictions (table 2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zfrepro.data import crops
from zfrepro.data.crops import Crops
from zfrepro.models.convnet import build


@dataclass(frozen=True)
class Trained:
    """A network with what it needs to read images: mean (S, S, 3), crop and class names.

    `resize_filter` is the one the images were prepared with; `precision` the one the network was
    trained in, so that errors agree with those of the training.
    """

    net: nn.Module
    mean: Tensor
    image_size: int
    crop: int
    classes: list[tuple[str, str]]
    resize_filter: str
    precision: str = "32-true"


def load(path: Path) -> Trained:
    """The network in a run's `weights.pt`, ready to evaluate.

    Raises:
        ValueError: the file holds no network of this project.
    """
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    try:
        net = build(**content["model"])
        net.load_state_dict(content["state_dict"])
        return Trained(
            net=net.eval().to(memory_format=torch.channels_last),
            mean=content["mean"],
            image_size=content["image_size"],
            crop=content["crop"],
            classes=[(identity, name) for identity, name in content["classes"]],
            resize_filter=content["filter"],
            precision=content["precision"],
        )
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} holds no network of this project: {error!r}") from error


def views(name: str, image_size: int, crop: int) -> Crops:
    """The crops that a prediction averages over: "centre" or "ten".

    Raises:
        ValueError: another word.
    """
    makers = {"centre": crops.centre_crop, "ten": crops.ten_crops}
    if name not in makers:
        raise ValueError(f"crops is {name!r}; it can be {' or '.join(makers)}")
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
    parts = []
    for top, left, flipped in zip(places.tops, places.lefts, places.flips, strict=True):
        here = slice(top, top + trained.crop), slice(left, left + trained.crop)
        view = pixels[:, *here].float() - mean[here]  # (B, c, c, 3)
        view = (view.flip(2) if flipped else view).permute(0, 3, 1, 2)
        with torch.autocast(device.type, torch.bfloat16, trained.precision == "bf16-mixed"):
            logits = trained.net(view)
        parts.append(logits.float().softmax(1))
    return torch.stack(parts).mean(0)
