"""PASCAL VOC 2012, classification: images that show objects of several of 20 classes."""

import logging
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from zfrepro.data.listing import FileListing, Ints, Presence, Source, SourceError
from zfrepro.data.sources.archives import Published, tree_of

SPLITS = ("train", "val")
PRESENT, DIFFICULT, ABSENT = 1, 0, -1
VOC2012 = Published(
    name="voc2012",
    folder="VOCdevkit/VOC2012",
    elsewhere=("VOC2012", "VOCtrainval_11-May-2012/VOCdevkit/VOC2012"),
    archives=("VOCtrainval_11-May-2012.tar",),
    url="https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    md5="6cd6e144f989b92b3379bac3b3de84fd",
    page="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
)

log = logging.getLogger(__name__)


def read_voc2012(root: str | Path | None, *, download: bool) -> Source:
    """VOC 2012 below `root`; splits "train" and "val".

    Raises:
        SourceError: not there, not to be had, or damaged.
    """
    return read_devkit("voc2012", tree_of(VOC2012, root, download=download))


def read_devkit(name: str, folder: Path) -> Source:
    """The images of `ImageSets/Main/{train,val}.txt` in `folder`, in their order.

    Which classes an image shows is told by `<class>_<split>.txt` there, as in the development
    kit's evaluation, else by the image's annotation. Its label is the first class that is present,
    in alphabetical order; -1 where all its objects are difficult.

    Raises:
        SourceError: a list, an image or an annotation is missing or damaged.
    """
    lists = folder / "ImageSets" / "Main"
    images = {split: _listed(lists / f"{split}.txt") for split in SPLITS}
    annotated = {split: _annotated(folder, ids) for split, ids in images.items()}
    classes = _classes(lists, annotated)
    objects = {
        split: _presence(lists, split, ids, classes, annotated[split])
        for split, ids in images.items()
    }
    listings = {split: _listing(folder, ids, objects[split]) for split, ids in images.items()}
    return Source(name, tuple((id_, id_) for id_ in classes), listings, objects=objects)


def objects_of(annotation: Path) -> dict[str, int]:
    """PRESENT or DIFFICULT of each class in an annotation; without a flag, nothing is difficult.

    Raises:
        SourceError: not there, cut off, or an object without a name.
    """
    try:
        # the standard library's expat has bounds against entities that swell
        root = ET.parse(annotation).getroot()  # noqa: S314
        found: dict[str, int] = {}
        for thing in root.iter("object"):
            flag = DIFFICULT if thing.findtext("difficult", "0").strip() == "1" else PRESENT
            name = (thing.findtext("name") or "").strip()
            if not name:
                raise SourceError(f"{annotation} has an object without a name: unpack it again")
            found[name] = max(found.get(name, DIFFICULT), flag)
        return found
    except FileNotFoundError as error:
        raise SourceError(f"{annotation} is not there: unpack the archive again") from error
    except ET.ParseError as error:
        raise SourceError(
            f"{annotation} is cut off or no XML ({error}): unpack it again"
        ) from error


def _listed(path: Path) -> list[str]:
    """Image ids, a line each."""
    return [line.split()[0] for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise SourceError(f"{path} is not there: {VOC2012.remedy}")
    return [line for line in path.read_text(encoding="ascii").splitlines() if line.strip()]


def _annotated(folder: Path, ids: Sequence[str]) -> list[dict[str, int]]:
    """`objects_of` each image; none where the annotations have not been unpacked."""
    annotations = folder / "Annotations"
    if not annotations.is_dir():
        return []
    bar = tqdm(ids, desc=f"reading {annotations.name}", unit="file", leave=False, disable=None)
    return [objects_of(annotations / f"{id_}.xml") for id_ in bar]


def _classes(lists: Path, annotated: dict[str, list[dict[str, int]]]) -> list[str]:
    """Of the lists, or where there are none of the annotations."""
    named = {path.name.removesuffix("_train.txt") for path in lists.glob("*_train.txt")}
    named = named or {name for images in annotated.values() for image in images for name in image}
    if not named:
        raise SourceError(
            f"{lists} has no lists of classes, nor has {lists.parents[1]}/Annotations"
        )
    return sorted(named)


def _presence(
    lists: Path, split: str, ids: Sequence[str], classes: Sequence[str],
    annotated: Sequence[dict[str, int]],
) -> Presence:  # fmt: skip
    """int8 (images, classes)."""
    shown = np.full((len(ids), len(classes)), ABSENT, dtype=np.int8)
    for row, image in enumerate(annotated):
        for name, flag in image.items():
            if name in classes:
                shown[row, classes.index(name)] = flag
    from_annotations = shown.copy()
    for column, name in enumerate(classes):
        path = lists / f"{name}_{split}.txt"
        if path.is_file():
            shown[:, column] = _flags(path, ids)
        elif not annotated:
            raise SourceError(f"{path} is not there: {VOC2012.remedy}")
    differ = int((shown != from_annotations).any(axis=1).sum()) if annotated else 0
    if differ:
        log.warning("%s: the lists differ from the annotations of %d images", lists, differ)
    return shown


def _flags(path: Path, ids: Sequence[str]) -> list[int]:
    """1, 0 or -1 for each image."""
    try:
        pairs = (line.split() for line in _lines(path))
        flags = {id_: int(flag) for id_, flag in pairs}
        return [flags[id_] for id_ in ids]
    except KeyError as error:
        raise SourceError(f"{path} says nothing of image {error}: unpack it again") from error
    except ValueError as error:
        raise SourceError(f"{path} is cut off or no list of flags ({error})") from error


def _listing(folder: Path, ids: Sequence[str], shown: Presence) -> FileListing:
    paths = [f"JPEGImages/{id_}.jpg" for id_ in ids]
    try:
        sizes = [(folder / path).stat().st_size for path in paths]
    except FileNotFoundError as error:
        raise SourceError(
            f"{error.filename} is in the lists and not there: unpack the archive again"
        ) from error
    return FileListing(paths, first_present(shown), folder, np.array(sizes, dtype=np.int64))


def first_present(shown: Presence) -> Ints:
    """(images,) the first class that is present; -1 where none is."""
    present = shown == PRESENT
    return np.where(present.any(axis=1), present.argmax(axis=1), -1).astype(np.int64)
