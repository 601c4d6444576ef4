"""Stand-in images of no content, to measure with where a profile's own are not prepared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zfrepro.data.listing import ArrayListing, Pixels, Source
from zfrepro.data.prepare import prepare
from zfrepro.data.store import PreparedSet

CLASSES = 2  # a net of any number of outputs can be trained on these labels


def stand_in(data: Mapping[str, Any], folder: Path, train: int, val: int) -> PreparedSet:
    """A prepared set of `train` and `val` blurred images, in the size and storage of `data`."""
    side = max(1, data["image_size"] // 8)  # blurred: noise of full size would make huge JPEGs
    classes = tuple((str(label), str(label)) for label in range(CLASSES))
    listings = {"train": listing(train, (side, side)), "val": listing(val, (side, side))}
    prepare(
        Source("stand-in", classes, listings),
        folder,
        image_size=data["image_size"],
        filter=data["filter"],
        storage=data["storage"],
        jpeg_quality=data["jpeg_quality"],
        workers=1,
        progress=False,
    )
    return PreparedSet.open(folder)


def listing(count: int, shape: tuple[int, int]) -> ArrayListing:
    """`count` images of noise, of `shape` (height, width)."""
    pixels: Pixels = np.random.default_rng(0).integers(256, size=(count, *shape, 3), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    return ArrayListing([f"{number}" for number in range(count)], labels, pixels)
