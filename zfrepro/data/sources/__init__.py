"""Readers of the layouts in which labelled images are kept.

Each reader takes a root and gives a `Source`: the classes, and for each split a `Listing` that
names the images in columns and reads one when asked. No image is opened while listing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from zfrepro.data.listing import Listing, Source, SourceError
from zfrepro.data.sources.caltech import read_caltech101, read_caltech256
from zfrepro.data.sources.fashion_mnist import read_fashion_mnist
from zfrepro.data.sources.folder import read_folder
from zfrepro.data.sources.imagenet import read_imagenet
from zfrepro.data.sources.imagenette import read_imagenette
from zfrepro.data.sources.published import warn_of_difference
from zfrepro.data.sources.rendered import (
    read_caltech_miniature,
    read_miniature,
    read_voc_miniature,
)
from zfrepro.data.sources.voc import read_voc2012

__all__ = ["READERS", "Listing", "Source", "SourceError", "open_source"]

_TWIN = ("name", "seed", "planted", "world", "image_size", "workers")

# source name -> its reader, and the keys of `data` that the reader takes beside `root`
READERS: Mapping[str, tuple[Callable[..., Source], tuple[str, ...]]] = {
    "caltech101": (read_caltech101, ("download",)),
    "caltech101_miniature": (read_caltech_miniature, ("classes", "images", *_TWIN)),
    "caltech256": (read_caltech256, ("download",)),
    "caltech256_miniature": (read_caltech_miniature, ("classes", "images", *_TWIN)),
    "fashion_mnist": (read_fashion_mnist, ("download",)),
    "folder": (read_folder, ("val_share", "split_seed")),
    "imagenet": (read_imagenet, ()),
    "imagenette": (read_imagenette, ("size", "download")),
    "miniature": (
        read_miniature,
        ("seed", "classes", "train_images", "val_images", "image_size", "workers"),
    ),
    "voc2012": (read_voc2012, ("download",)),
    "voc2012_miniature": (read_voc_miniature, ("train_images", "val_images", *_TWIN)),
}


def open_source(data: Mapping[str, Any]) -> Source:
    """The source that `data` (a group of `conf/data`) describes.

    Raises:
        SourceError: a source of an unknown name, or what its reader raises.
    """
    if data["name"] not in READERS:
        raise SourceError(f"data.name is {data['name']!r}; it can be {', '.join(READERS)}")
    read, keys = READERS[data["name"]]
    source = read(data["root"], **{key: data[key] for key in keys})
    warn_of_difference(source)
    return source
