"""What real image collections hold, planted in small fixed numbers.

ImageNet's training set has greyscale and CMYK JPEGs, a PNG named .JPEG, and EXIF blocks that
are broken or ask for a rotation that published numbers never applied.
"""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

PLANTED: Mapping[str, Mapping[str, int]] = {
    "train": {"grey": 4, "cmyk": 2, "png": 1, "rotated_exif": 1, "broken_exif": 1},
    "val": {"grey": 2, "cmyk": 1},
}

_ORIENTATION = 0x0112
_QUARTER_TURN = 6


def planted(split: str, images: int, seed: int) -> dict[int, str]:
    """Which of a split's images are odd: position in the split -> form.

    At most one image in four is odd, so that tiny sets stay usable.
    """
    forms = [form for form, number in PLANTED[split].items() for _ in range(number)]
    rng = np.random.default_rng([seed, len(split)])
    places = rng.permutation(images)[: min(len(forms), images // 4)]
    return dict(zip(places.tolist(), forms, strict=False))


def encode(image: Image.Image, form: str, quality: int) -> bytes:
    """The bytes of an image file in one of the forms of `PLANTED`, or as a plain `rgb` JPEG."""
    buffer = io.BytesIO()
    match form:
        case "grey":
            image.convert("L").save(buffer, "JPEG", quality=quality)
        case "cmyk":
            image.convert("CMYK").save(buffer, "JPEG", quality=quality)
        case "png":
            image.save(buffer, "PNG")
        case "rotated_exif":
            exif = Image.Exif()
            exif[_ORIENTATION] = _QUARTER_TURN
            image.save(buffer, "JPEG", quality=quality, exif=exif)
        case "broken_exif":
            image.save(buffer, "JPEG", quality=quality, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
        case _:
            image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
