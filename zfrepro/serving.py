"""A trained net with all that comes before and after it: raw images to class probabilities."""

import base64
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from zfrepro.data.decode import Pixels, decode, fit, to_rgb
from zfrepro.data.listing import read_file
from zfrepro.training.trained import AT_CHANCE, Trained, load, probabilities, views

IMAGES_AT_ONCE = 16
CHANNELS = (1, 3, 4)
log = logging.getLogger(__name__)
FORMS = (
    "an image is a file's bytes or base64 text, a pathlib.Path, a PIL image, or whole numbers of 0 "
    "to 255 of shape (H, W), (H, W, 3), (H, W, 4) or (3, H, W)"
)


class Classifier:
    """Prepares images as the training images were prepared, and averages over crops (table 2)."""

    def __init__(self, trained: Trained) -> None:
        self.trained, self.labels = trained, unique_labels(trained.classes)

    @classmethod
    def load(cls, weights: Path) -> Self:
        """Reads the `weights.pt` of a run, and warns where the network has learned nothing.

        Raises:
            ValueError: the file holds no network of this project.
        """
        trained = load(weights)
        if trained.at_chance:
            log.warning("%s %s: its probabilities say nothing", weights, AT_CHANCE)
        return cls(trained)

    def predict(self, images: Any, crops: str = "ten") -> pd.DataFrame:
        """Class probabilities, one row an image and one column a class.

        Args:
            images: see `as_list`; each of any size.
            crops: "ten" averages over the paper's ten sub-crops, "centre" takes one.

        Raises:
            ValueError: an image that cannot be read (says which), or another word for `crops`.
        """
        places = views(crops, self.trained.image_size, self.trained.crop)
        waiting = as_list(images)
        rows = [
            probabilities(self.trained, self._prepare(waiting, start), places)
            for start in range(0, len(waiting), IMAGES_AT_ONCE)
        ]
        table = torch.cat(rows).double().cpu().numpy() if rows else np.empty((0, len(self.labels)))
        return pd.DataFrame(table, columns=self.labels)

    def _prepare(self, images: Sequence[Any], start: int) -> Pixels:
        """The next images from `start` on, uint8 (B, S, S, 3)."""
        size, resize_filter = self.trained.image_size, self.trained.resize_filter
        prepared = []
        for number, image in enumerate(images[start : start + IMAGES_AT_ONCE], start):
            try:
                picture = decode(to_content(image)).image
            except ValueError as error:
                raise ValueError(f"image {number} cannot be read: {error}") from error
            prepared.append(np.asarray(fit(picture, size, resize_filter)))
        return np.stack(prepared)


def unique_labels(classes: Sequence[tuple[str, str]]) -> list[str]:
    """Class names, with the id behind those that two classes share (ImageNet has two cranes)."""
    shared = Counter(name for _, name in classes)
    return [name if shared[name] == 1 else f"{name} ({key})" for key, name in classes]


def mean_picture(mean: Tensor) -> Image.Image:
    """The training set's mean image (S, S, 3)."""
    return Image.fromarray(mean.round().clamp(0, 255).byte().numpy())


def as_list(images: Any) -> list[Any]:
    """One entry an image.

    Args:
        images: one image or many: a batch (N, H, W, 3), an array (H, W, 3) or (H, W), or either
            with the channels first, as tensors have them; nested lists of such; the bytes, base64
            text or Path of an image file; a list of any; or a table with them in column `image`.

    Raises:
        ValueError: a table without that column, or nothing that is certain to be images.
    """
    if isinstance(images, pd.DataFrame):
        return list(_flatten(_column(images)))  # a row is an image, whatever its shape
    if isinstance(images, Mapping):
        return as_list(_column(images))
    if isinstance(images, str | bytes | bytearray | Path | Image.Image):
        return [images]
    if isinstance(images, Tensor):
        images = images.detach().cpu().numpy()
    if isinstance(images, np.ndarray) and images.dtype != object:
        if images.ndim not in (2, 3, 4):
            raise ValueError(f"an array of shape {images.shape} is neither an image nor a batch")
        return list(images) if images.ndim == 4 else [images]
    if not isinstance(images, Sequence | np.ndarray | pd.Series):
        raise ValueError(f"{type(images).__name__} is not an image: {FORMS}")
    return _of_sequence(images)


def _of_sequence(images: Any) -> list[Any]:
    """A list of images, or one image, or batch, as a nested list."""
    if not isinstance(images, list) or not images or not isinstance(images[0], list):
        return list(images)
    try:
        numbers = np.asarray(images)
    except ValueError:  # images of different sizes
        return images
    if numbers.dtype == object or numbers.ndim not in (2, 3, 4):
        return images
    if numbers.ndim == 3 and numbers.shape[-1] not in CHANNELS and len(images) > 1:
        raise ValueError(
            f"a nested list of shape {numbers.shape} may be one image or several: give a batch "
            "(N, H, W, 3), or a list of arrays"
        )
    return as_list(numbers)


def to_content(image: Any) -> bytes | Pixels:
    """An image's file as bytes, or its pixels (H, W), (H, W, 3) or (H, W, 4).

    Raises:
        ValueError: text that is not base64, a file that is not there, or no pixels of 0 to 255.
    """
    if isinstance(image, bytes | bytearray):
        return bytes(image)
    if isinstance(image, str):
        return _decode_base64(image)
    if isinstance(image, Path):
        return _read(image)
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(image))
    return _to_pixels(np.asarray(image.detach().cpu() if isinstance(image, Tensor) else image))


def _to_pixels(pixels: npt.NDArray[Any]) -> Pixels:
    if pixels.dtype.kind not in "ui" or pixels.size == 0 or pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(f"pixels must be whole numbers of 0 to 255, not {_summary(pixels)}")
    if pixels.ndim == 3 and pixels.shape[-1] not in CHANNELS and pixels.shape[0] in CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[-1] not in CHANNELS):
        raise ValueError(f"{_summary(pixels)} is not an image: {FORMS}")
    return pixels.astype(np.uint8)


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def _column(table: Any) -> Any:
    if "image" not in table:
        raise ValueError(f"there is no column 'image', only {', '.join(map(str, table))}")
    return table["image"]


def _flatten(cells: Any) -> Iterator[Any]:
    """A cell may hold a list of files: MLflow makes one row of `{"image": [file, file]}`."""
    for cell in cells:
        if isinstance(cell, list) and cell and isinstance(cell[0], str | bytes):
            yield from cell
        else:
            yield cell


def _decode_base64(text: str) -> bytes:
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        # URL-safe letters mean the same
        text = "".join(body.split()).replace("-", "+").replace("_", "/")
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii's, or of letters beyond ASCII
        raise ValueError(
            f"text must be a base64-encoded image file, no path and no address ({error}): {FORMS}"
        ) from None


def _summary(pixels: npt.NDArray[Any]) -> str:
    return f"{pixels.dtype} of shape {pixels.shape}"
