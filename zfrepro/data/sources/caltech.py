"""Caltech-101 and Caltech-256: a folder of images per class, a background class, and no split."""

import logging
from collections import Counter
from pathlib import Path

from zfrepro.data.listing import Source
from zfrepro.data.sources.archives import Published, tree_of
from zfrepro.data.sources.tree import Walk, class_folders, file_listing, warn_of_empty

CALTECH101 = Published(
    name="caltech101",
    folder="caltech101/101_ObjectCategories",
    elsewhere=("101_ObjectCategories", "caltech-101/101_ObjectCategories"),
    archives=(
        "caltech-101.zip", "caltech101.zip", "101_ObjectCategories.tar.gz",
        "caltech-101/101_ObjectCategories.tar.gz", "caltech101/101_ObjectCategories.tar.gz",
    ),
    url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
    md5="3138e1922a9193bfa496528edbbc45d0",
    page="https://data.caltech.edu/records/mzrjq-6wc02",
)  # fmt: skip
CALTECH256 = Published(
    name="caltech256",
    folder="256_ObjectCategories",
    elsewhere=("caltech256/256_ObjectCategories",),
    archives=("256_ObjectCategories.tar", "caltech256/256_ObjectCategories.tar"),
    url="https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
    md5="67b4f42ca05d46448c6bb8ecd2220f6d",
    page="https://data.caltech.edu/records/nyy15-4j048",
)

log = logging.getLogger(__name__)


def read_caltech101(root: str | Path | None, *, download: bool) -> Source:
    """Caltech-101 below `root`; split "all", with class BACKGROUND_Google.

    Raises:
        SourceError: not there, not to be had, or damaged.
    """
    return read_classes("caltech101", tree_of(CALTECH101, root, download=download))


def read_caltech256(root: str | Path | None, *, download: bool) -> Source:
    """Caltech-256 below `root`; split "all", with class 257.clutter.

    Raises:
        SourceError: as of `read_caltech101`.
    """
    return read_classes("caltech256", tree_of(CALTECH256, root, download=download))


def read_classes(name: str, folder: Path) -> Source:
    """The images that lie directly in the class folders of `folder`.

    The published numbers of images leave out what lies deeper (Caltech-256 has such a folder in
    `056.dog`), and what is not an image (its `198.spider/RENAME2`).
    """
    walk = Walk(folder)
    found = list(walk.classes(folder))
    direct = [image for image in found if len(Path(image.path).parts) == 2]
    deeper = Counter(image.id for image in found) - Counter(image.id for image in direct)
    if deeper:
        where = ", ".join(f"{count} of {id_}" for id_, count in sorted(deeper.items()))
        log.warning("%s: passed over images in folders within a class: %s", folder, where)
    ids = sorted({image.id for image in direct})
    warn_of_empty(dict(class_folders(folder)), direct, folder)
    classes = tuple((id_, readable(id_)) for id_ in ids)
    listing = file_listing(direct, ids, folder, folder)
    return Source(name, classes, {"all": listing}, left_out=walk.left_out)


def readable(id_: str) -> str:
    """`ak47` of `001.ak47`, `water lilly` of `water_lilly`."""
    number, _, name = id_.rpartition(".")
    return (name if number.isdigit() else id_).replace("_", " ").replace("-", " ")
