"""A trained network as a run's `weights.pt` keeps it, and its averaged predictions (table 2)."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zfrepro.data import crops
from zfrepro.data.crops import Crops
from zfrepro.models.convnet import ConvNet, build

FORMAT = 1  # of weights.pt


@dataclass(frozen=True)
class Trained:
    """A network with what it needs to read images: mean (S, S, 3), crop and class names.

    `resize_filter` is the one the images were prepared with; `precision` the one the network was
    trained in, so that errors agree with those of the training.
    """

    net: ConvNet
    mean: Tensor
    image_size: int
    crop: int
    classes: list[tuple[str, str]]
    resize_filter: str
    precision: str = "32-true"


class WeightsError(ValueError):
    """A file that holds no trained network of this project; says what is wrong with it."""


def save(trained: Trained, path: Path) -> None:
    """Writes what `load` reads; the caller sees to it that no part is taken for the whole."""
    torch.save(
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
        },
        path,
    )


def load(path: Path) -> Trained:
    """The network in a run's `weights.pt`, ready to evaluate.

    Nothing in the file is executed: it is read with `weights_only=True`.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: it is cut off, of another program, a checkpoint, or of another version.
    """
    content = read(path)
    if "pytorch-lightning_version" in content:
        raise WeightsError(
            f"{path} is a checkpoint of a training that has not finished: start it again, and "
            "evaluate the weights.pt that it ends with"
        )
    missing = [key for key in ("model", "state_dict") if key not in content]
    if missing:
        found = ", ".join(list(map(str, content))[:4]) or "nothing"
        raise WeightsError(
            f"{path} holds no network of this project: it has no {missing[0]} (it has {found})"
        )
    if (version := content.get("format")) != FORMAT:
        age = "an older" if version is None or version < FORMAT else "a newer"
        raise WeightsError(
            f"{path} was written by {age} zfrepro (format {version}, and this one reads {FORMAT}): "
            "train the network again, or evaluate it with the revision in the run.json beside it"
        )
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
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is damaged: its weights do not make its network ({first_line(error)})"
        ) from error


def read(path: Path) -> dict[str, Any]:
    """The dict that `torch.save` wrote to `path`; numbers and names only, nothing is executed.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: it is cut off, of another program, or holds code or no dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = str(error)
        is_pickle = "Unsupported operand" not in message  # of text, such as a saved error page
        if not is_pickle or ("weights_only" not in message and "WeightsUnpickler" not in message):
            raise WeightsError(f"{path} is cut off or no file of torch.save") from error
        raise WeightsError(
            f"{path} is refused: it holds more than numbers and names, and reading that would run "
            f"code of whoever made it ({first_line(error)})"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise WeightsError(
            f"{path} is cut off or no file of torch.save ({first_line(error)})"
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path} holds no network of this project: a {type(content).__name__}, not a dict"
        )
    return content


def first_line(error: Exception) -> str:
    """What an error says, short enough to stand in another one's message."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)


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
    """The network's input for central crops, uint8 (B, c, c, 3): float32 (B, 3, c, c)."""
    start = (trained.image_size - trained.crop) // 2
    here = slice(start, start + trained.crop)
    pixels = torch.from_numpy(crops).float() - trained.mean[here, here]
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
