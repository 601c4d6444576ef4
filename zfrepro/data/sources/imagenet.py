"""ImageNet 2012 (ILSVRC2012 classification): the three tars, or folders unpacked from them.

Labels are places in the sorted WordNet ids of the training classes, as everywhere but in the
development kit: its own numbers 1 to 1000 follow another order and are translated here.
"""

import csv
import io
import logging
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfrepro.data.listing import Listing, Source, SourceError, TarListing
from zfrepro.data.sources import tars
from zfrepro.data.sources.roots import existing_root
from zfrepro.data.sources.tree import (
    Found,
    arrange,
    class_folders,
    file_listing,
    walk_classes,
    walk_images,
    warn_of_empty,
)

TRAIN_TAR = "ILSVRC2012_img_train.tar"
VAL_TAR = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12"
TORCHVISION_META = "meta.bin"
KAGGLE_NAMES = "LOC_synset_mapping.txt"
KAGGLE_LABELS = "LOC_val_solution.csv"
KAGGLE_IMAGES = Path("ILSVRC/Data/CLS-LOC")
REMEDY = (
    "set data.root=FOLDER or the environment variable ZFREPRO_IMAGENET to a folder that holds "
    f"{TRAIN_TAR}, {VAL_TAR} and {DEVKIT}.tar.gz (from https://image-net.org/download-images, "
    "after registration), or train/ and val/ unpacked from them"
)

log = logging.getLogger(__name__)


class Meta(NamedTuple):
    """What accompanies the images: class names by id, and the ids of the validation images.

    `val_ids` maps the stem of a file's name, `ILSVRC2012_val_00000001`, to its class.
    """

    names: Mapping[str, str]
    val_ids: Mapping[str, str]


def read_imagenet(
    root: str | Path | None, *, name: str = "imagenet", remedy: str = REMEDY
) -> Source:
    """ImageNet 2012 below `root`, in any of the layouts in which it is kept.

    A split is read from its folder where there is one, else from its tar.

    Raises:
        SourceError: a split is missing or has no labels; says what to set or fetch.
    """
    base = existing_root(root, remedy)
    meta = read_meta(base)
    images = base / KAGGLE_IMAGES if (base / KAGGLE_IMAGES).is_dir() else base
    train, ids = _train(images, remedy)
    val = _val(images, ids, meta, remedy)
    if unnamed := [id_ for id_ in ids if id_ not in meta.names]:
        log.warning("%s: no names of %d classes; their ids serve as names", base, len(unnamed))
    classes = tuple((id_, meta.names.get(id_, id_)) for id_ in ids)
    annotations = base / "annotations"
    return Source(
        name,
        classes,
        {"train": train, "val": val},
        annotations if annotations.is_dir() else None,
    )


def _train(root: Path, remedy: str) -> tuple[Listing, list[str]]:
    folder, archive = root / "train", root / TRAIN_TAR
    if folder.is_dir():
        found = list(walk_classes(root, folder))
        ids = sorted({image.id for image in found})
        warn_of_empty(class_folders(folder), found, folder)
        return file_listing(found, ids, root, folder), ids
    if archive.is_file():
        members = tars.images(archive)
        found = [Found(m.group, f"train/{m.group}/{m.name}", m.size, m.offset) for m in members]
        ids = sorted({image.id for image in found})
        return _tar_listing(found, ids, archive), ids
    raise SourceError(f"{root} has neither train/ nor {TRAIN_TAR}: {remedy}")


def _val(root: Path, ids: Sequence[str], meta: Meta, remedy: str) -> Listing:
    folder, archive = root / "val", root / VAL_TAR
    if folder.is_dir():
        found = _val_folder(root, folder, meta)
        warn_of_empty(ids, found, folder)
        return file_listing(found, ids, root, folder)
    if archive.is_file():
        return _tar_listing(_val_tar(archive, meta), ids, archive)
    raise SourceError(f"{root} has neither val/ nor {VAL_TAR}: {remedy}")


def _val_folder(root: Path, folder: Path, meta: Meta) -> list[Found]:
    """From class folders, or from one flat folder as the tar leaves it."""
    if class_folders(folder):
        return list(walk_classes(root, folder))
    flat = walk_images(root, folder, "", Counter())
    return [image._replace(id=_val_id(Path(image.path).name, meta, folder)) for image in flat]


def _val_tar(archive: Path, meta: Meta) -> list[Found]:
    found = []
    for member in tars.images(archive):
        id_ = _val_id(member.name, meta, archive)
        found.append(Found(id_, f"val/{id_}/{member.name}", member.size, member.offset))
    return found


def _val_id(name: str, meta: Meta, where: Path) -> str:
    try:
        return meta.val_ids[Path(name).stem]
    except KeyError:
        raise SourceError(
            f"{where}: no label of {name}; {DEVKIT}.tar.gz, {TORCHVISION_META} or {KAGGLE_LABELS} "
            f"in {where.parent} would hold it"
        ) from None


def _tar_listing(found: Iterable[Found], ids: Sequence[str], archive: Path) -> Listing:
    images, labels = arrange(found, ids, archive)
    return TarListing(
        [image.path for image in images],
        labels,
        archive,
        np.array([image.offset for image in images], dtype=np.int64),
        np.array([image.size for image in images], dtype=np.int64),
    )


def read_meta(root: Path) -> Meta:
    """Names and validation labels from whatever file holds them; empty without any."""
    if (root / TORCHVISION_META).is_file():
        return _torchvision_meta(root / TORCHVISION_META)
    if (root / DEVKIT).is_dir():
        data = root / DEVKIT / "data"
        return parse_devkit((data / "meta.mat").read_bytes(), (data / _TRUTH).read_bytes())
    if (root / f"{DEVKIT}.tar.gz").is_file():
        return _packed_devkit(root / f"{DEVKIT}.tar.gz")
    return Meta(_kaggle_names(root / KAGGLE_NAMES), _kaggle_labels(root / KAGGLE_LABELS))


_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def parse_devkit(meta_mat: bytes, ground_truth: bytes) -> Meta:
    """From the kit's table of synsets and its list of the validation images' ILSVRC2012_ID."""
    from scipy.io import loadmat  # noqa: PLC0415  most sources have no use for it

    synsets = np.atleast_1d(loadmat(io.BytesIO(meta_mat), squeeze_me=True)["synsets"])
    leaves = [synset for synset in synsets if int(synset["num_children"]) == 0]
    names = {str(leaf["WNID"]): str(leaf["words"]) for leaf in leaves}
    by_number = {int(leaf["ILSVRC2012_ID"]): str(leaf["WNID"]) for leaf in leaves}
    return Meta(names, _numbered(by_number[int(line)] for line in ground_truth.split()))


def _packed_devkit(archive: Path) -> Meta:
    try:
        with tarfile.open(archive) as tar:
            meta = _member(tar, f"{DEVKIT}/data/meta.mat")
            return parse_devkit(meta, _member(tar, f"{DEVKIT}/data/{_TRUTH}"))
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise SourceError(f"{archive} is not the whole development kit ({error})") from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()


def _torchvision_meta(path: Path) -> Meta:
    import torch  # noqa: PLC0415  seconds that other layouts need not wait

    names, val_ids = torch.load(path, weights_only=True)
    return Meta({id_: ", ".join(words) for id_, words in names.items()}, _numbered(val_ids))


def _kaggle_names(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {id_: name.strip() for id_, _, name in (line.partition(" ") for line in lines) if id_}


def _kaggle_labels(path: Path) -> dict[str, str]:
    """Lines of `ImageId,PredictionString`, the latter `<wnid> <box> ...`."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows: Iterable[Mapping[str, Any]] = csv.DictReader(file)
        return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}


def _numbered(ids: Iterable[str]) -> dict[str, str]:
    return {f"ILSVRC2012_val_{number:08d}": id_ for number, id_ in enumerate(ids, start=1)}
