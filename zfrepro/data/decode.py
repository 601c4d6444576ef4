"""From an image file's bytes to the pixels that are stored: RGB, resized, cropped.

What ImageNet's files really are (CMYK and grey JPEGs, a PNG named .JPEG, broken EXIF) comes out
as torchvision's loaders show it: the format is found from the content, colours are converted
to RGB, transparency is dropped and EXIF orientation is left alone, as in every published number.
"""

import io
import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

Pixels = NDArray[np.uint8]

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# raster formats only: Pillow would hand PostScript to another program
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF")
MEMORY = 1 << 30  # bytes that an image may take while it is decoded: 214 megapixels in RGB
PER_PIXEL = {"WEBP": 17, "AVIF": 14}  # bytes, as measured; others take 4 for RGB and 4 before it
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # cameras' profiles exceed 1 MB
# how files begin that are taken for images, and what they are
FOREIGN = {
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the image",
    b"<!doctype html": "a web page", b"<html": "a web page", b"<svg": "SVG, a drawing",
    b"%pdf": "a PDF", b"8bps": "a Photoshop file", b"\0\0\0\x0cjp": "JPEG 2000, which is not read",
    b"pk\3\4": "a zip archive", b"\x1f\x8b": "a gzip archive",
}  # fmt: skip
HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")
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
        BadImageError: no bytes, no image, a truncated one, or one larger than `MEMORY` allows.
    """
    if isinstance(content, np.ndarray):
        image = Image.fromarray(content)
        return Decoded(image.convert("RGB"), None, image.mode)
    if not content:
        raise BadImageError("zero bytes")
    try:
        with warnings.catch_warnings(action="ignore"):  # of broken EXIF, large images, palettes
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            _check_pixels(image)
            image.load()
            return Decoded(to_rgb(image), image.format, image.mode)
    except (MemoryError, BadImageError):
        raise
    except UnidentifiedImageError as error:
        raise BadImageError(f"not an image{_foreign(content)}") from error
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


def _check_pixels(image: Image.Image) -> None:
    """As the header states them: no pixel has been decoded yet."""
    tags = getattr(image, "tag_v2", {})
    tile = tags.get(TiffImagePlugin.TILEWIDTH, 0), tags.get(TiffImagePlugin.TILELENGTH, 0)
    width, height = max(image.size, tile, key=math.prod)  # a tile may be larger than its image
    pixels = width * height
    most = MEMORY // PER_PIXEL.get(image.format or "", 5 if image.mode == "RGB" else 9)
    if pixels > most:
        raise BadImageError(
            f"too large: {width} x {height} are {pixels:,} pixels, of {most:,} at most "
            f"for {image.format}"
        )


def _foreign(content: bytes) -> str:
    """What a file is that is not an image, where that can be told, after a colon."""
    if content[4:12] in HEIC:
        return ": HEIC, which is not read: save it as JPEG"
    begin = content[:64].lstrip(b"\xef\xbb\xbf \r\n").lower()
    return next((f": {name}" for start, name in FOREIGN.items() if begin.startswith(start)), "")


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
    if "truncated" in message.lower():
        return f"truncated: {message}"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {message}"
    return f"broken: {message}"
