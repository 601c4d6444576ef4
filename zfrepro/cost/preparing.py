"""Prepares some images like those of a source, to know what all of them will take."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zfrepro.cost.images import CLASSES, listing
from zfrepro.data import miniature
from zfrepro.data.listing import FileListing, Source
from zfrepro.data.miniature.tree import CHUNK
from zfrepro.data.prepare import prepare
from zfrepro.data.sources.imagenet import read_imagenet
from zfrepro.data.sources.sizes import shape_of

WARM_UP, IMAGES = 20, 160  # the first time, libraries and the renderer's tables are loaded
BLUR = 3  # pixels a side that are alike: a JPEG of such noise has a photograph's bytes
KEYS = ("image_size", "filter", "storage", "jpeg_quality")


def seconds_per_image(data: Mapping[str, Any], folder: Path) -> float:
    """Of one process, from the raw image to the prepared one; rendering counts with it."""
    _once(data, folder / "first", WARM_UP)
    return _once(data, folder / "second", IMAGES)


def _once(data: Mapping[str, Any], folder: Path, images: int) -> float:
    started = time.perf_counter()
    if data["name"] == "miniature":
        source = _rendered(data, folder / "raw", images)
    else:
        source = _like(data, folder / "raw", images)
        started = time.perf_counter()
    recipe = {key: data[key] for key in KEYS}
    prepare(source, folder / "prepared", **recipe, workers=1, progress=False)
    return (time.perf_counter() - started) / sum(map(len, source.splits.values()))


def _rendered(data: Mapping[str, Any], root: Path, images: int) -> Source:
    classes = max(2, images // CHUNK)  # whole chunks: each is a write to the disk
    miniature.render(
        root, seed=data["seed"], classes=classes, train_images=images, val_images=classes,
        image_size=data["image_size"], workers=1, progress=False,
    )  # fmt: skip
    return read_imagenet(root, name="miniature")


def _like(data: Mapping[str, Any], root: Path, images: int) -> Source:
    """Noise in the files, or the array, that the source consists of."""
    classes = tuple((str(label), str(label)) for label in range(CLASSES))
    if data["name"] == "fashion_mnist":
        made = listing(images, shape_of(data))
        return Source("stand-in", classes, {"train": made, "val": made.part(0, CLASSES)})
    files = _files(shape_of(data), root, images)
    return Source("stand-in", classes, {"train": files, "val": files.part(0, CLASSES)})


def _files(shape: tuple[int, int], root: Path, images: int) -> FileListing:
    """JPEGs of `shape` (height, width)."""
    height, width = shape
    noise = listing(images, (height // BLUR, width // BLUR))
    root.mkdir(parents=True)
    for name, pixels in zip(noise.paths, noise.images, strict=True):
        Image.fromarray(pixels).resize((width, height)).save(root / name, "JPEG", quality=90)
    sizes = np.array([(root / name).stat().st_size for name in noise.paths], dtype=np.int64)
    return FileListing(noise.paths, noise.labels, root, sizes, np.zeros_like(sizes))
