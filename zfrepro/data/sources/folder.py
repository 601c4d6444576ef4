"""Any tree with a folder a class: `train/` and `val/`, or one tree that is split here."""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from zfrepro.data.listing import Source, SourceError
from zfrepro.data.sources.roots import existing_root
from zfrepro.data.sources.tree import (
    Found,
    class_folders,
    file_listing,
    walk_classes,
    warn_of_empty,
)

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation", "test")
REMEDY = (
    "set data.root=FOLDER (or the environment variable ZFREPRO_FOLDER) to a folder that holds "
    "train/ and val/ with a folder of images a class, or the class folders themselves"
)


def read_folder(root: str | Path | None, *, val_share: float, split_seed: int) -> Source:
    """The images of a class-folder tree at `root`; see `read_tree`.

    Raises:
        SourceError: no such folder, no images, or validation images of an unknown class.
    """
    return read_tree(existing_root(root, REMEDY), val_share=val_share, split_seed=split_seed)


def read_tree(
    base: Path,
    *,
    name: str = "folder",
    names: Mapping[str, str] = MappingProxyType({}),
    val_share: float = 0.1,
    split_seed: int = 0,
) -> Source:
    """Class folders below `base`, labelled in the order of their names.

    Without a validation folder, `val_share` of each class (at least one image) is set apart,
    drawn from `split_seed`. A class folder without training images is left out, with a warning.
    `names` may hold readable names of the classes.
    """
    train_folder = _subfolder(base, TRAIN) or base
    # in a tree without train/, a folder named "test" is a class like any other
    val_folder = _subfolder(base, VAL) if train_folder != base else None
    train = list(walk_classes(base, train_folder))
    if val_folder:
        val = list(walk_classes(base, val_folder))
    else:
        train, val = stratified_split(train, val_share, split_seed)
    ids = sorted({image.id for image in train})
    warn_of_empty(class_folders(train_folder), train, train_folder)
    warn_of_empty(ids, val, val_folder or train_folder)
    splits = {
        "train": file_listing(train, ids, base, train_folder),
        "val": file_listing(val, ids, base, val_folder or train_folder),
    }
    return Source(name, tuple((id_, names.get(id_, id_)) for id_ in ids), splits)


def stratified_split(
    found: Iterable[Found], val_share: float, seed: int
) -> tuple[list[Found], list[Found]]:
    """(train, val): of each class with two images or more, `val_share` and at least one to val.

    Raises:
        SourceError: a share outside (0, 1).
    """
    if not 0 < val_share < 1:
        raise SourceError(f"data.val_share is {val_share}; it must lie between 0 and 1")
    classes: dict[str, list[Found]] = {}
    for image in sorted(found):
        classes.setdefault(image.id, []).append(image)
    train: list[Found] = []
    val: list[Found] = []
    for id_, images in classes.items():
        count = min(max(1, round(len(images) * val_share)), len(images) - 1)
        # a generator for each class: another class more or less changes nothing here
        rng = np.random.default_rng([seed, zlib.crc32(id_.encode())])
        order = rng.permutation(len(images))
        val += [images[i] for i in order[:count]]
        train += [images[i] for i in order[count:]]
    return train, val


def _subfolder(root: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a folder in `root`, in upper or lower case."""
    folders = {name.lower(): path for name, path in class_folders(root).items()}
    return next((folders[name] for name in names if name in folders), None)
