"""ImageNet 2012 (ILSVRC2012 classification): the three tars, or folders unpacked from them.

Labels are places in the sorted WordNet ids of the training classes, as everywhere but in the
development kit: its own numbers 1 to 1000 follow another order and are translated (`meta.py`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from zfrepro.data.listing import Listing, Source, SourceError, TarListing
from zfrepro.data.sources import boxes, tars
from zfrepro.data.sources.meta import DEVKIT, Meta, label_of, read_meta, validation
from zfrepro.data.sources.roots import existing_root
from zfrepro.data.sources.tree import (
    Found,
    Walk,
    arrange,
    class_folders,
    file_listing,
    unwrapped,
    warn_of_empty,
)

TRAIN_TAR = "ILSVRC2012_img_train.tar"
VAL_TAR = "ILSVRC2012_img_val.tar"
KAGGLE_IMAGES = Path("ILSVRC/Data/CLS-LOC")
REMEDY = (
    "set data.root=FOLDER or the environment variable ZFREPRO_IMAGENET to a folder that holds "
    f"{TRAIN_TAR}, {VAL_TAR} and {DEVKIT}.tar.gz (from https://image-net.org/download-images, "
    f"after registration; {boxes.ARCHIVE} there scores figure 7), or train/ and val/ "
    "unpacked from them"
)

log = logging.getLogger(__name__)


def read_imagenet(
    root: str | Path | None, *, name: str = "imagenet", remedy: str = REMEDY
) -> Source:
    """ImageNet 2012 below `root`, in any of the layouts in which it is kept.

    A split is read from its folder where there is one, else from its tar.

    Raises:
        SourceError: a split is missing or has no labels; says what to set or fetch.
    """
    base = existing_root(root, remedy)
    if not any((base / part).exists() for part in ("train", TRAIN_TAR, KAGGLE_IMAGES)):
        base = unwrapped(base)
    meta = read_meta(base)
    walk = Walk(base / KAGGLE_IMAGES if (base / KAGGLE_IMAGES).is_dir() else base)
    train, ids = _train(walk, remedy)
    val = _val(walk, ids, meta, remedy)
    if unnamed := [id_ for id_ in ids if id_ not in meta.names]:
        log.warning("%s: no names of %d classes; their ids serve as names", base, len(unnamed))
    return Source(
        name,
        tuple((id_, meta.names.get(id_, id_)) for id_ in ids),
        {"train": train, "val": val},
        _annotations(base, val),
        left_out=walk.left_out,
    )


def _annotations(base: Path, val: Listing) -> Path | Mapping[str, pa.Table] | None:
    """Of the rendered world; or the published boxes of the validation images."""
    folder = base / "annotations"
    if any(folder.glob("*.parquet")):
        return folder
    found = boxes.read_boxes(base, val.paths)
    return None if found is None else {"val": found}


def _train(walk: Walk, remedy: str) -> tuple[Listing, list[str]]:
    folder, archive = walk.root / "train", walk.root / TRAIN_TAR
    if folder.is_dir():
        folder = unwrapped(folder)
        found = list(walk.classes(folder))
        ids = sorted({image.id for image in found})
        warn_of_empty(dict(class_folders(folder)), found, folder)
        return file_listing(found, ids, walk.root, folder), ids
    if archive.is_file():
        members = tars.images(archive)
        if loose := [member.name for member in members if not member.group]:
            raise SourceError(f"{archive} holds {loose[0]}, in no folder or archive of a class")
        found = [Found(m.group, f"train/{m.group}/{m.name}", m.size, m.offset) for m in members]
        ids = sorted({image.id for image in found})
        return _tar_listing(found, ids, archive), ids
    raise SourceError(f"{walk.root} has neither train/ nor {TRAIN_TAR}: {remedy}")


def _val(walk: Walk, ids: Sequence[str], meta: Meta, remedy: str) -> Listing:
    folder, archive = walk.root / "val", walk.root / VAL_TAR
    if folder.is_dir():
        folder = unwrapped(folder)
        found = validation(walk, folder, ids, meta)
        warn_of_empty(ids, found, folder)
        return file_listing(found, ids, walk.root, folder)
    if archive.is_file():
        return _tar_listing(_val_tar(archive, ids, meta), ids, archive)
    raise SourceError(f"{walk.root} has neither val/ nor {VAL_TAR}: {remedy}")


def _val_tar(archive: Path, ids: Sequence[str], meta: Meta) -> list[Found]:
    """As published, all in one folder; or packed anew, in folders of classes."""
    known, found = set(ids), []
    for member in tars.images(archive):
        id_ = member.group if member.group in known else label_of(member.name, meta, archive)
        found.append(Found(id_, f"val/{id_}/{member.name}", member.size, member.offset))
    return found


def _tar_listing(found: Iterable[Found], ids: Sequence[str], archive: Path) -> Listing:
    images, labels = arrange(found, ids, archive)
    return TarListing(
        [image.path for image in images],
        labels,
        archive,
        np.array([image.offset for image in images], dtype=np.int64),
        np.array([image.size for image in images], dtype=np.int64),
    )
