"""Near-duplicates of a world's training images, as collections from the same web share them."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from zfrepro.data.decode import decode
from zfrepro.data.miniature.canvas import Box
from zfrepro.data.miniature.kinds import Kind
from zfrepro.data.miniature.oddities import encode
from zfrepro.data.miniature.writer import World, file_of

CHANGES = ("recompressed", "resized", "cropped")
CROPPED = 0.05  # at most so much at each side
SCHEMA = pa.schema([(name, pa.string()) for name in ("path", "source_path", "change")])


class Original(NamedTuple):
    """A training image: `number` in its class, from 0, and `position` in the split."""

    kind: Kind
    number: int
    position: int


class Copy(NamedTuple):
    """A changed copy: its file, size (width, height) and object's box; the copied file's path."""

    content: bytes
    size: tuple[int, int]
    box: Box
    source_path: str
    change: str

    def row(self, path: str) -> dict[str, str]:
        """Of `SCHEMA`, for a copy that is kept at `path`."""
        return {"path": path, "source_path": self.source_path, "change": self.change}


def originals(
    rng: np.random.Generator, world: World, number: int, kind: str | None = None
) -> list[Original]:
    """`number` different training images, of the class named `kind` or of any.

    Raises:
        ValueError: the world has not so many.
    """
    every = [
        Original(each, i, first + i)
        for each, first, images in world.shares("train")
        if kind in (None, each.name)
        for i in range(images)
    ]
    if number > len(every):
        raise ValueError(f"planted={number}: the source has {len(every)} images to copy")
    return [every[i] for i in rng.permutation(len(every))[:number]]


def copy(rng: np.random.Generator, world: World, original: Original, number: int) -> Copy:
    """A changed copy of a file of the world's tree; by `number`, the kinds of change take turns."""
    drawn = file_of(world, "train", *original)
    image = decode(drawn.content).image
    change = CHANGES[number % len(CHANGES)]
    frame = _frame(rng, change, *image.size)
    size = _size(rng, change, frame)
    image = image.resize(size, Image.Resampling.BICUBIC, frame)
    content = encode(image, "rgb", quality=int(rng.integers(40, 76)))
    return Copy(content, size, _moved(drawn.picture.box, frame, size), drawn.path, change)


def _frame(
    rng: np.random.Generator, change: str, width: int, height: int
) -> tuple[int, int, int, int]:
    """What is kept: left, top, right, bottom."""
    if change != "cropped":
        return 0, 0, width, height
    left, top, right, bottom = rng.uniform(0, CROPPED, 4)
    return (
        round(left * width), round(top * height),
        width - round(right * width), height - round(bottom * height),
    )  # fmt: skip


def _size(
    rng: np.random.Generator, change: str, frame: tuple[int, int, int, int]
) -> tuple[int, int]:
    left, top, right, bottom = frame
    factor = 1.0
    if change == "resized":
        factor = rng.uniform(0.6, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 1.6)
    return round((right - left) * factor), round((bottom - top) * factor)


def _moved(box: Box, frame: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    left, top, right, bottom = frame
    across, down = size[0] / (right - left), size[1] / (bottom - top)
    return Box(
        max(round((box.left - left) * across), 0), max(round((box.top - top) * down), 0),
        min(round((box.right - left) * across), size[0]),
        min(round((box.bottom - top) * down), size[1]),
    )  # fmt: skip
