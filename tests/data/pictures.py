"""Photographs to test with, as files of any kind and as trees of class folders."""

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data


@cache
def _photographs() -> tuple[np.ndarray, ...]:
    return data.astronaut(), data.coffee(), data.chelsea(), data.rocket()


def photograph(number: int, width: int = 90, height: int = 70) -> Image.Image:
    """A piece of a real photograph, another one for each number."""
    whole = _photographs()[number % 4]
    rng = np.random.default_rng(number)
    top, left = rng.integers(0, np.array(whole.shape[:2]) - 200)
    piece = Image.fromarray(whole[top : top + 200, left : left + 200])
    return piece.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(number: int, width: int = 90, height: int = 70) -> bytes:
    return encoded(photograph(number, width, height), quality=95)


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def small_tree(root: Path, *, train: int = 3, val: int = 2) -> Path:
    """Two classes, "cat" and "dog", with `train` and `val` photographs each."""
    files = {}
    for split, count, first in (("train", train, 0), ("val", val, 1000)):
        for k, name in enumerate(("cat", "dog")):
            for i in range(count):
                number = first + k * count + i
                files[f"{split}/{name}/{i:04d}.jpg"] = jpeg(number, 60 + i % 30, 50 + i % 7)
    return write_tree(root, files)
