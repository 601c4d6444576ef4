"""A trained network as a run's `weights.pt` keeps it, and its averaged predictions (table 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zfrepro.data import crops
from zfrepro.data.crops import Crops
from zfrepro.models.convnet import ConvNet, build
from zfrepro.training import archive
from zfrepro.training.archive import WeightsError, in_one_line
from zfrepro.training.precision import PRECISIONS
from zfrepro.training.states import bare

FORMAT = 1  # of weights.pt
AT_CHANCE = "is no better than chance on its validation images"


@dataclass(frozen=True)
class Trained:
    """A network with what it needs to read images: mean (S, S, 3), crop and class names.

    `resize_filter` is the one the images were prepared with; `precision` the one the network was
    trained in, so that errors agree with those of the training. `at_chance`: its validation error
    was no better than that of a guess.
    """

    net: ConvNet
    mean: Tensor
    image_size: int
    crop: int
    classes: list[tuple[str, str]]
    resize_filter: str
    precision: str = "32-true"
    at_chance: bool = False

    def to(self, device: torch.device) -> "Trained":
        """The same, net and mean on this device, where `centred` then brings images too."""
        return replace(self, net=self.net.to(device), mean=self.mean.to(device))


def save(trained: Trained, path: Path) -> None:
    """Writes what `load` reads; the caller sees to it that no part is taken for the whole."""
    archive.save(
        {
            "format": FORMAT,
            "model": trained.net.spec,
            "state_dict": trained.net.state_dict(),
            "classes": [list(pair) for pair in trained.classes],
            "mean": trained.mean,
            "image_size": trained.image_size,
            "filter": trained.resize_filter,
            "crop": trained.crop,
            "precision": trained.precision,
            "at_chance": trained.at_chance,
        },
        path,
    )


def load(path: Path) -> Trained:
    """The network in a run's `weights.pt`, ready to evaluate.

    Nothing in the file is executed: it is read with `weights_only=True`.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: it is cut off, damaged, of another program, a checkpoint, or of another
            version; or what it holds does not fit together.
    """
    content = archive.read(path)
    if "pytorch-lightning_version" in content:
        raise WeightsError(
            f"{path} is a checkpoint of a training that has not finished: start it again, and "
            "evaluate the weights.pt that it ends with"
        )
    missing = [key for key in ("model", "state_dict") if key not in content]
    if missing:
        found = ", ".join(list(map(str, content))[:4]) or "nothing"
        raise WeightsError(
            f"{path} holds no network of this project: it has no {missing[0]} (it has {found}). "
            "A run's weights.pt has layers, mean image and classes beside the tensors; those of a "
            "published network are read with model=NAME model.published.weights=FILE"
        )
    if (version := content.get("format")) != FORMAT:
        age = "an older" if version is None or version < FORMAT else "a newer"
        raise WeightsError(
            f"{path} was written by {age} zfrepro (format {version}, and this one reads {FORMAT}): "
            "train the network again, or evaluate it with the revision in the run.json beside it"
        )
    try:
        net = build(**content["model"])
        net.load_state_dict(bare(content["state_dict"], path))
        trained = Trained(
            net=net.eval().to(memory_format=torch.channels_last),
            mean=content["mean"],
            image_size=content["image_size"],
            crop=content["crop"],
            classes=[(identity, name) for identity, name in content["classes"]],
            resize_filter=content["filter"],
            precision=content["precision"],
            at_chance=content.get("at_chance", False),
        )
        _check(trained, net.spec or {})
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is damaged: its weights do not make its network ({in_one_line(error)})"
        ) from error
    return trained


def _check(trained: Trained, spec: Mapping[str, Any]) -> None:
    """Raises ValueError where parts that could stand alone do not fit each other."""
    size, crop, mean = trained.image_size, trained.crop, trained.mean
    if not 1 <= crop <= size or crop != spec["crop"]:
        raise ValueError(f"crops of {crop} pixels of {size}, for a net of {spec['crop']}")
    if len(trained.classes) != spec["classes"]:
        raise ValueError(f"{len(trained.classes)} names for {spec['classes']} classes")
    if tuple(mean.shape) != (size, size, 3) or mean.dtype != torch.float32:
        raise ValueError(f"a mean image {mean.dtype} {tuple(mean.shape)} for {size} pixels")
    if trained.precision not in PRECISIONS:
        raise ValueError(f"precision {trained.precision!r}, which is not {' or '.join(PRECISIONS)}")
    for name, values in {"mean": mean, **trained.net.state_dict()}.items():
        if not torch.isfinite(values).all():
            raise ValueError(f"{name} has values that are not finite")


def views(name: str, image_size: int, crop: int) -> Crops:
    """The crops that a prediction averages over: "centre" or "ten".

    Raises:
        ValueError: another word.
    """
    makers = {"centre": crops.centre_crop, "ten": crops.ten_crops}
    if name not in makers:
        raise ValueError(f"crops is {name!r}; it can be {' or '.join(makers)}")
    return makers[name](image_size, crop)


def centred(trained: Trained, crops: npt.NDArray[np.uint8]) -> Tensor:
    """The network's input for central crops, uint8 (B, c, c, 3): float32 (B, 3, c, c).

    On the device of the mean.
    """
    start = (trained.image_size - trained.crop) // 2
    here = slice(start, start + trained.crop)
    pixels = torch.from_numpy(crops).to(trained.mean.device).float() - trained.mean[here, here]
    return pixels.permute(0, 3, 1, 2)


def probabilities(trained: Trained, images: npt.NDArray[np.uint8], places: Crops) -> Tensor:
    """Softmax averaged over the crops `places`: float32 (B, classes).

    Args:
        images: prepared images, uint8 (B, S, S, 3).
        places: the K crops taken of each image.
    """
    return view_probabilities(trained, images, places).mean(0)


@torch.inference_mode()
def view_probabilities(trained: Trained, images: npt.NDArray[np.uint8], places: Crops) -> Tensor:
    """Softmax of each crop: float32 (K, B, classes); arguments as of `probabilities`."""
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
    return torch.stack(parts)
