"""From an image file's bytes to the pixels that are stored: RGB, resized, cropped.

What ImageNet's files really are (CMYK and grey JPEGs, a PNG named .JPEG, broken EXIF) comes out
as torchvision's loaders show it: the format is found from the content, colours are converted
to RGB, transparency is dropped and EXIF orientation is left alone, as in every published number.
"""

import io
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# raster formats only: Pillow would hand PostScript to another program
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
LONGEST = 8  # in short sides, of what is resized; the centre crop needs one


class BadImageError(ValueError):
    """A file that gives no pixels; the message is the reason, as the index records it."""


class Decoded(NamedTuple):
    """An image in RGB, and what its file was before: format None where it came as an array."""

    image: Image.Image
    format: str | None
    mode: str


def decode(content: bytes | Pixels) -> Decoded:
    """The image in a file's bytes, or in pixels (H, W) or (H, W, 3), as RGB.

    Raises:
        BadImageError: no bytes, no image, a truncated one, or one too large to be true.
    """
    if isinstance(content, np.ndarray):
        image = Image.fromarray(content)
        return Decoded(image.convert("RGB"), None, image.mode)
    if not content:
        raise BadImageError("zero bytes")
    try:
        with warnings.catch_warnings(action="ignore"):  # of broken EXIF, large images, palettes
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            image.load()
            return Decoded(to_rgb(image), image.format, image.mode)
    except (MemoryError, BadImageError):
        raise
    except Exception as error:  # a damaged file makes a decoder raise almost anything
        raise BadImageError(_reason(error)) from error


def fit(image: Image.Image, size: int, filter_name: str) -> Image.Image:
    """The shorter side resized to `size` (antialiased), then the centre (size, size) cropped."""
    image = _shorten(image)
    width, height = image.size
    short = min(width, height)
    # whole pixels as torchvision's Resize and CenterCrop count them
    scaled = (int(size * width / short), int(size * height / short))
    if image.size != scaled:
        image = image.resize(scaled, FILTERS[filter_name])
    left, top = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
    return image.crop((left, top, left + size, top + size))


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode in RGB; 16 bits a pixel become 8.

    Raises:
        BadImageError: pixels of no known range.
    """
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    if image.mode == "F":
        raise BadImageError("mode F: floating-point pixels have no known range")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """The high byte, as Pillow reads 16-bit colour; its own conversion would clip to white."""
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 0xFFFF:
        raise BadImageError(f"mode {image.mode}: more than 16 bits a pixel")
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def _shorten(image: Image.Image) -> Image.Image:
    """Cuts a strip at both ends, lest one of 1 x 10,000 pixels grow to 256 x 2,560,000."""
    width, height = image.size
    limit = LONGEST * min(width, height)
    if max(width, height) <= limit:
        return image
    left, top = max(width - limit, 0) // 2, max(height - limit, 0) // 2
    return image.crop((left, top, left + min(width, limit), top + min(height, limit)))


def _reason(error: Exception) -> str:
    message = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if "truncated" in message.lower():
        return f"truncated: {message}"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {message}"
    return f"broken: {message}"
