"""A picture that a user names, as preparation would store it."""

from pathlib import Path

import numpy as np
from PIL import Image

from zfrepro.data.decode import FORMATS, BadImageError, Pixels, decode, fit
from zfrepro.data.listing import read_file


def load(path: Path) -> Image.Image:
    """The picture in a file, as it is.

    Raises:
        OSError: no such file, or none that can be read; names it.
        ValueError: it holds no picture; names it.
    """
    if not path.is_file():
        known = ", ".join(FORMATS)
        what = "no file" if path.exists() else "not there"
        raise FileNotFoundError(f"{path} is {what}: name a picture ({known})")
    try:
        return decode(read_file(path)).image
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror or error}") from error
    except BadImageError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def fitted(picture: Image.Image, image_size: int, resize_filter: str) -> Pixels:
    """The same resized and cropped as prepared images are, (S, S, 3)."""
    return np.array(fit(picture, image_size, resize_filter))


def centre(pixels: Pixels, crop: int) -> Pixels:
    """The central crop of prepared pixels (..., S, S, 3)."""
    start = (pixels.shape[-2] - crop) // 2
    return pixels[..., start : start + crop, start : start + crop, :]
