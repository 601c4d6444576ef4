"""What a trained network is given: pictures, grey, and the names of its classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from zfrepro.data import picture
from zfrepro.data.decode import Pixels
from zfrepro.training.trained import Trained


def mean_crop(trained: Trained) -> Tensor:
    """What the network's central crop has subtracted, (c, c, 3)."""
    start = (trained.image_size - trained.crop) // 2
    return trained.mean[start : start + trained.crop, start : start + trained.crop]


def grey(trained: Trained, value: float) -> Tensor:
    """The network's input for a crop of this grey (0 to 255), (3, c, c)."""
    return (value - mean_crop(trained)).permute(2, 0, 1)


def prepared(trained: Trained, images: Sequence[Image.Image]) -> Pixels:
    """Pictures as this network's images are prepared, (N, S, S, 3)."""
    size, how = trained.image_size, trained.resize_filter
    return np.stack([picture.fitted(image, size, how) for image in images])


def class_number(trained: Trained, word: str | None) -> int | None:
    """The class that a number, an identifier or one of its names means; None of None.

    Raises:
        ValueError: there is no such class, or several.
    """
    if word is None:
        return None
    numbers = range(len(trained.classes))
    if word.isdigit() and int(word) in numbers:
        return int(word)
    found = [
        i for i, (identity, name) in enumerate(trained.classes)
        if word.lower() in (identity.lower(), *map(str.strip, name.lower().split(",")))
    ]  # fmt: skip
    if len(found) != 1:
        known = ", ".join(name for _, name in trained.classes[:5])
        raise ValueError(
            f"{word!r} names {len(found) or 'none'} of the network's {len(numbers)} classes "
            f"({known}, ...): give its number, 0 to {len(numbers) - 1}"
        )
    return found[0]


def outputs_of(
    trained: Trained, classes: Sequence[tuple[str, str]], folder: Path
) -> npt.NDArray[np.int64]:
    """The network's output for each class (id, name) of the images in `folder`, (classes,).

    Where the network's classes have no names and are as many, their order counts.

    Raises:
        ValueError: a class that the network does not know; names it and the folder.
    """
    known = [name for _, name in trained.classes]
    unnamed = known == [str(number) for number in range(len(known))]
    by_number = all(id_.isdigit() for id_, _ in classes)
    in_order = unnamed and len(classes) == len(known) and not by_number
    if in_order or [name for _, name in classes] == known:  # of ImageNet's names some come twice
        return np.arange(len(known))
    found = []
    for id_, name in classes:
        try:
            found.append(class_number(trained, id_))
        except ValueError as error:
            try:
                found.append(class_number(trained, name))
            except ValueError:
                raise ValueError(f"{folder}: {error}, as its name there") from error
    return np.array(found)


def class_name(trained: Trained, number: int) -> str:
    """The first of a class' names."""
    identity, name = trained.classes[number]
    return name.split(",")[0] or identity


@torch.inference_mode()
def predictions(trained: Trained, images: Tensor, most: int = 3) -> list[str]:
    """In words, the most probable classes of each network input (B, 3, c, c)."""
    classes = len(trained.classes)
    shares, numbers = trained.net(images).float().softmax(1).topk(min(most, classes))
    return [
        "predicted "
        + ", ".join(
            f"{class_name(trained, number)} {share:.3f}"
            for number, share in zip(of_one.tolist(), theirs.tolist(), strict=True)
        )
        + f" (chance {1 / classes:.3f})"
        for of_one, theirs in zip(numbers, shares, strict=True)
    ]
