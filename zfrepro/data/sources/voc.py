"""PASCAL VOC 2012, classification: images that show objects of several of 20 classes."""

import logging
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from zfrepro.data.listing import Ints, Presence, Source, SourceError, read_text
from zfrepro.data.sources.archives import Published, tree_of
from zfrepro.data.sources.tree import Found, Walk, listing_of

SPLITS = ("train", "val")
PRESENT, DIFFICULT, ABSENT = 1, 0, -1
VOC2012 = Published(
    name="voc2012",
    folder="VOCdevkit/VOC2012",
    elsewhere=(
        "VOC2012", "VOCtrainval_11-May-2012/VOCdevkit/VOC2012",
        "VOC2012_train_val",
    ),
    archives=("VOCtrainval_11-May-2012.tar",),
    url="https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    md5="6cd6e144f989b92b3379bac3b3de84fd",
    page="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
)  # fmt: skip
FLAGS = {"1": PRESENT, "0": DIFFICULT, "-1": ABSENT}  # of the lists
# of the annotations; some tools write a word for no flag
MARKS = {"1": DIFFICULT, "0": PRESENT, "": PRESENT, "unspecified": PRESENT}

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
    walk = Walk(folder)
    found = {Path(image.path).stem: image for image in walk.images(folder / "JPEGImages", "")}
    listings = {
        split: listing_of(
            [_image(id_, found, folder) for id_ in ids], first_present(objects[split]), folder
        )
        for split, ids in images.items()
    }
    return Source(
        name, tuple((id_, id_) for id_ in classes), listings, objects=objects,
        left_out=walk.left_out,
    )  # fmt: skip


def objects_of(annotation: Path) -> dict[str, int]:
    """PRESENT or DIFFICULT of each class in an annotation; without a flag, nothing is difficult.

    Raises:
        SourceError: not there, cut off, or an object without a name or with an unknown flag.
    """
    try:
        # the standard library's expat has bounds against entities that swell
        root = ET.parse(annotation).getroot()  # noqa: S314
    except OSError as error:
        raise SourceError(f"{annotation} is not there: unpack the archive again") from error
    except (ET.ParseError, LookupError, ValueError) as error:  # the latter two: of its encoding
        raise SourceError(
            f"{annotation} is cut off or no XML ({error}): unpack it again"
        ) from error
    found: dict[str, int] = {}
    for thing in root.iter("object"):
        mark = (thing.findtext("difficult") or "").strip().lower()
        if mark not in MARKS:
            raise SourceError(f"{annotation} has an object with difficult {mark!r}, not 0 or 1")
        name = _class_name((thing.findtext("name") or "").strip(), annotation)
        found[name] = max(found.get(name, DIFFICULT), MARKS[mark])
    return found


def _class_name(name: str, annotation: Path) -> str:
    """`name`, after which files of results will be named."""
    if not name:
        raise SourceError(f"{annotation} has an object without a name: unpack it again")
    if not name.isprintable() or "/" in name or name in {".", ".."}:
        raise SourceError(f"{annotation} has an object named {name!r}, which no file can be named")
    return name


def _listed(path: Path) -> list[str]:
    """Image ids, a line each."""
    return [words[0] for _, words in _lines(path)]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Number and words of each line that has any."""
    if not path.is_file():
        raise SourceError(f"{path} is not there: {VOC2012.remedy}")
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(number, words) for number, line in lines if (words := line.split())]


def _annotated(folder: Path, ids: Sequence[str]) -> list[dict[str, int]]:
    """`objects_of` each image; none where the annotations have not been unpacked."""
    annotations = folder / "Annotations"
    if not annotations.is_dir():
        return []
    bar = tqdm(ids, desc=f"reading {annotations.name}", unit="file", leave=False, disable=None)
    return [objects_of(annotations / f"{id_}.xml") for id_ in bar]


def _classes(lists: Path, annotated: dict[str, list[dict[str, int]]]) -> list[str]:
    """Of the lists, or where there are none of the annotations."""
    named = {path.name.removesuffix("_train.txt") for path in lists.glob("[!.]*_train.txt")}
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
    flags: dict[str, int] = {}
    for number, (id_, *flag) in _lines(path):
        if len(flag) != 1 or flag[0] not in FLAGS:
            wrong = f"{path}, line {number}: {' '.join(flag) or 'nothing'} is not a flag"
            raise SourceError(f"{wrong} (1, 0 or -1): the list is cut off or damaged")
        flags[id_] = FLAGS[flag[0]]
    try:
        return [flags[id_] for id_ in ids]
    except KeyError as error:
        raise SourceError(f"{path} says nothing of image {error}: unpack it again") from error


def _image(id_: str, found: Mapping[str, Found], folder: Path) -> Found:
    if id_ not in found:
        raise SourceError(
            f"{folder}/JPEGImages/{id_}.jpg is in the lists and not there: unpack the archive again"
        )
    return found[id_]


def first_present(shown: Presence) -> Ints:
    """(images,) the first class that is present; -1 where none is."""
    present = shown == PRESENT
    return np.where(present.any(axis=1), present.argmax(axis=1), -1).astype(np.int64)
