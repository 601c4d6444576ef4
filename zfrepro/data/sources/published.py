"""How many images and classes famous sets have, as their authors published them."""

import logging
from typing import NamedTuple

from zfrepro.data.listing import Source
from zfrepro.data.sources.fashion_mnist import NAMES
from zfrepro.data.sources.imagenette import IMAGES

log = logging.getLogger(__name__)


class Size(NamedTuple):
    """Training images, validation images and classes; a set in one split has it as `train`."""

    train: int
    val: int
    classes: int

    def __str__(self) -> str:
        images = f"{self.train:,} and {self.val:,}" if self.val else f"{self.train:,}"
        return f"{images} images of {self.classes:,} classes"


PUBLISHED = {
    "caltech101": Size(9_144, 0, 102),  # with BACKGROUND_Google
    "caltech256": Size(30_607, 0, 257),  # with 257.clutter
    "fashion_mnist": Size(60_000, 10_000, len(NAMES)),
    "imagenet": Size(1_281_167, 50_000, 1000),  # the training and validation tars of ILSVRC2012
    "imagenette": Size(IMAGES["train"], IMAGES["val"], 10),
    "voc2012": Size(5_717, 5_823, 20),
}


def size(source: Source) -> Size:
    train, val = (len(source.splits.get(split, ())) for split in (source.first_split, "val"))
    return Size(train, val, len(source.classes))


def warn_of_difference(source: Source) -> None:
    """A part of a set is trained on and scored like the whole: nobody else would notice."""
    published = PUBLISHED.get(source.name)
    if published and size(source) != published:
        log.warning("%s has %s here, and %s as published", source.name, size(source), published)
