"""Class folders on disk: walking them, and turning what is found into a listing."""

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfrepro.data.listing import FileListing, Ints, SourceError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".tif", ".tiff", ".webp"}
)

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """An image file: its class, its path relative to the root, its size and place in bytes."""

    id: str
    path: str
    size: int
    offset: int = 0


def class_folders(folder: Path) -> dict[str, Path]:
    """The visible folders in `folder` by class id.

    An id is the name in Unicode's composed form: file systems differ in how they spell "é".
    """
    return {
        unicodedata.normalize("NFC", entry.name): Path(entry.path)
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".")
    }


def walk_classes(root: Path, folder: Path) -> Iterator[Found]:
    """All images in the class folders of `folder`, at any depth.

    Hidden files are passed over; other files that are no images by their suffix are counted in
    a warning.
    """
    ignored: Counter[str] = Counter()
    for id_, class_folder in class_folders(folder).items():
        yield from walk_images(root, class_folder, id_, ignored)
    if ignored:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(ignored.items()))
        log.warning("%s: passed over files that are no images by their suffix: %s", folder, kinds)


def walk_images(root: Path, folder: Path, id_: str, ignored: Counter[str]) -> Iterator[Found]:
    """The images of one class, their paths relative to `root`."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  a million Paths are slow
            if name.startswith("."):
                continue
            if suffix not in SUFFIXES:
                ignored[suffix or "without suffix"] += 1
                continue
            path = os.path.join(place, name)  # noqa: PTH118
            yield Found(id_, os.path.relpath(path, root), os.stat(path).st_size)  # noqa: PTH116


def arrange(found: Iterable[Found], ids: Sequence[str], where: Path) -> tuple[list[Found], Ints]:
    """`found` by class and path, with their labels (n,): places in `ids`.

    Raises:
        SourceError: nothing found, or images of a class that `ids` has not.
    """
    labels: Mapping[str, int] = {id_: label for label, id_ in enumerate(ids)}
    images = list(found)
    if not images:
        raise SourceError(f"{where} holds no images in class folders")
    if strangers := sorted({image.id for image in images} - set(labels)):
        raise SourceError(
            f"{where} has images of classes that have no training images: {_some(strangers)}"
        )
    images.sort(key=lambda image: (labels[image.id], image.path))
    return images, np.array([labels[image.id] for image in images], dtype=np.int64)


def file_listing(
    found: Iterable[Found], ids: Sequence[str], root: Path, where: Path
) -> FileListing:
    images, labels = arrange(found, ids, where)
    sizes = np.array([image.size for image in images], dtype=np.int64)
    return FileListing([image.path for image in images], labels, root, sizes)


def warn_of_empty(ids: Iterable[str], found: Iterable[Found], where: Path) -> None:
    if empty := sorted(set(ids) - {image.id for image in found}):
        log.warning("%s: no images of %s", where, _some(empty))


def _some(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
