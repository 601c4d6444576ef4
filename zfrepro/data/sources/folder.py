"""Any tree with a folder a class: `train/` and `val/`, or one tree that is split here."""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from zfrepro.data.listing import Source, SourceError
from zfrepro.data.sources.meta import TINY_LABELS, read_tiny, validation
from zfrepro.data.sources.roots import existing_root
from zfrepro.data.sources.tree import (
    Found,
    Walk,
    class_folders,
    file_listing,
    some,
    unwrapped,
    warn_of_empty,
)

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation", "test")
REMEDY = (
    "set data.root=FOLDER (or the environment variable ZFREPRO_FOLDER) to a folder that holds "
    "train/ and val/ with a folder of images per class, or the class folders themselves"
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
    `names` may hold readable names of the classes. Tiny ImageNet is read too, whose validation
    images lie in one folder.
    """
    walk = Walk(base)
    train_folder, val_folder = _split_folders(walk)
    train = list(walk.classes(train_folder))
    ids = sorted({image.id for image in train})
    if val_folder is None:
        train, val = stratified_split(train, val_share, split_seed)
    elif (val_folder / TINY_LABELS).is_file():
        meta = read_tiny(val_folder.parent, val_folder)
        names, val = meta.names, validation(walk, val_folder, ids, meta)
    else:
        val = list(walk.classes(val_folder))
    warn_of_empty(dict(class_folders(train_folder)), train, train_folder)
    splits = {
        "train": file_listing(train, ids, base, train_folder),
        "val": file_listing(val, ids, base, val_folder or train_folder),
    }
    warn_of_empty(ids, val, val_folder or train_folder)
    classes = tuple((id_, names.get(id_, id_)) for id_ in ids)
    return Source(name, classes, splits, left_out=walk.left_out)


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


def _split_folders(walk: Walk) -> tuple[Path, Path | None]:
    """The folders of training and of validation images; all class folders in one, and None.

    Names may be longer where both are there: seg_train and seg_test, train2017 and val2017.
    """
    base = unwrapped(walk.root)
    folders = dict(class_folders(base))
    train, val = _called(folders, TRAIN), _called(folders, VAL)
    if not (train and val):
        longer = _called(folders, TRAIN, longer=True), _called(folders, VAL, longer=True)
        train, val = longer if all(longer) else (train, val)
    if train and (val or class_folders(train)):
        used = {train, val}
        walk.left_out.update(
            f"folder {path.name}/" for path in folders.values() if path not in used
        )
        return unwrapped(train), val and unwrapped(val)
    # in a tree without train/, a folder named "test" is a class like any other
    if folders and all(name.lower() in TRAIN + VAL for name in folders):
        raise SourceError(f"{base} holds {some(sorted(folders))} and no train/: {REMEDY}")
    return base, None


def _called(
    folders: Mapping[str, Path], names: Sequence[str], *, longer: bool = False
) -> Path | None:
    """The folder of the first of `names` that one bears, in upper or lower case.

    Raises:
        SourceError: several longer names hold it.
    """
    for name in names:
        pattern = rf"(.*[^a-z])?{name}([^a-z].*)?" if longer else name
        found = [path for id_, path in folders.items() if re.fullmatch(pattern, id_.lower())]
        if len(found) > 1:
            several = ", ".join(path.name for path in found)
            raise SourceError(f"{found[0].parent} holds {several}: rename the one to use to {name}")
        if found:
            return found[0]
    return None
