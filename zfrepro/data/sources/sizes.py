"""How many images a source has, before any is fetched, rendered or prepared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zfrepro.data.miniature.caltech import LAYOUTS
from zfrepro.data.miniature.kinds import VOC_LIKE
from zfrepro.data.sources import open_source
from zfrepro.data.sources.published import PUBLISHED, Size, size

SHAPES = {"fashion_mnist": (28, 28)}  # height and width of a typical file
TYPICAL_SHAPE = (375, 500)  # of a photograph from the web, as most of ImageNet's


def size_of(data: Mapping[str, Any], root: Path | None) -> Size:
    """The size of the source that `data` describes (a group of conf/data), from what is known.

    A rendered world's is configured and a famous set's published; any other is counted at `root`.

    Raises:
        SourceError: there is nothing to count at `root`; names the key to set.
    """
    if data["name"] == "miniature":
        return Size(data["train_images"], data["val_images"], data["classes"])
    if (twin := data["name"].removesuffix("_miniature")) in LAYOUTS and twin != data["name"]:
        classes = data["classes"] + 1  # with the background
        return Size(data["images"] * classes, 0, classes)
    if data["name"] == "voc2012_miniature":
        return Size(data["train_images"], data["val_images"], len(VOC_LIKE))
    if data["name"] in PUBLISHED:
        return PUBLISHED[data["name"]]
    return size(open_source({**data, "root": root}))


def shape_of(data: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width, in pixels, that the files of a source typically have."""
    if data["name"].endswith("miniature"):  # rendered at 1.0 to 1.6 times the prepared size
        return round(1.3 * data["image_size"]), round(1.3 * data["image_size"])
    return SHAPES.get(data["name"], TYPICAL_SHAPE)
