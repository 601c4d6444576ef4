"""What accompanies ImageNet's images: names of the classes, and whose the validation images are.

Each of the places from which people have ImageNet, or Tiny ImageNet, keeps that in other files.
"""

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfrepro.data.listing import SourceError, read_csv, read_text
from zfrepro.data.sources.tree import Found, Walk, class_folders

DEVKIT = "ILSVRC2012_devkit_t12"
TORCHVISION = "meta.bin"
KAGGLE_NAMES = "LOC_synset_mapping.txt"
KAGGLE_LABELS = "LOC_val_solution.csv"
TINY_NAMES = "words.txt"
TINY_LABELS = "val_annotations.txt"  # in val/
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


class Meta(NamedTuple):
    """Class names by id, and the ids of the validation images.

    `val_ids` maps the stem of a file's name, `ILSVRC2012_val_00000001`, to its class.
    """

    names: Mapping[str, str]
    val_ids: Mapping[str, str]


def read_meta(root: Path) -> Meta:
    """Names and validation labels from whatever file holds them; empty without any.

    Raises:
        SourceError: a file that is damaged, or of other content than its name says.
    """
    if (root / TORCHVISION).is_file():
        return _torchvision(root / TORCHVISION)
    if (root / DEVKIT).is_dir():
        return _devkit(root / DEVKIT / "data")
    if (root / f"{DEVKIT}.tar.gz").is_file():
        return _packed_devkit(root / f"{DEVKIT}.tar.gz")
    if (root / "val" / TINY_LABELS).is_file():
        return read_tiny(root, root / "val")
    return Meta(_kaggle_names(root / KAGGLE_NAMES), _kaggle_labels(root / KAGGLE_LABELS))


def read_tiny(root: Path, val: Path) -> Meta:
    """Of Tiny ImageNet: a tab between columns, image and id in `val`, id and name at `root`."""
    labels = _rows(val / TINY_LABELS, "\t")
    names = root / TINY_NAMES
    return Meta(
        dict(_rows(names, "\t")) if names.is_file() else {},
        {Path(name).stem: id_.split("\t")[0] for name, id_ in labels},
    )


def validation(walk: Walk, folder: Path, ids: Sequence[str], meta: Meta) -> list[Found]:
    """The images of a validation folder: in folders of classes, or in one folder, with labels.

    Raises:
        SourceError: an image without a label.
    """
    if {id_ for id_, _ in class_folders(folder)} & set(ids):
        return list(walk.classes(folder))
    return [
        image._replace(id=label_of(Path(image.path).name, meta, folder))
        for image in walk.images(folder, "")
    ]


def label_of(name: str, meta: Meta, where: Path) -> str:
    """The class of a validation image.

    Raises:
        SourceError: nothing tells it.
    """
    try:
        return meta.val_ids[Path(name).stem]
    except KeyError:
        raise SourceError(
            f"{where}: no label of {name}; {DEVKIT}.tar.gz, {TORCHVISION} or {KAGGLE_LABELS} "
            f"in {where.parent} would hold it, or a folder for each class"
        ) from None


def parse_devkit(meta_mat: bytes, ground_truth: bytes) -> Meta:
    """From the kit's table of synsets and its list of the validation images' ILSVRC2012_ID."""
    from scipy.io import loadmat  # noqa: PLC0415  most sources have no use for it

    synsets = np.atleast_1d(loadmat(io.BytesIO(meta_mat), squeeze_me=True)["synsets"])
    leaves = [synset for synset in synsets if int(synset["num_children"]) == 0]
    names = {str(leaf["WNID"]): str(leaf["words"]) for leaf in leaves}
    by_number = {int(leaf["ILSVRC2012_ID"]): str(leaf["WNID"]) for leaf in leaves}
    return Meta(names, _numbered(by_number[int(line)] for line in ground_truth.split()))


def _devkit(data: Path) -> Meta:
    try:
        return parse_devkit((data / "meta.mat").read_bytes(), (data / _TRUTH).read_bytes())
    except Exception as error:  # scipy raises almost anything of a damaged file
        raise SourceError(
            f"{data.parent} is not the whole development kit ({error}): unpack {DEVKIT}.tar.gz"
        ) from error


def _packed_devkit(archive: Path) -> Meta:
    try:
        with tarfile.open(archive) as tar:
            meta = _member(tar, f"{DEVKIT}/data/meta.mat")
            return parse_devkit(meta, _member(tar, f"{DEVKIT}/data/{_TRUTH}"))
    except Exception as error:  # as above
        raise SourceError(
            f"{archive} is not the whole development kit ({error}): fetch it again"
        ) from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()


def _torchvision(path: Path) -> Meta:
    import torch  # noqa: PLC0415  seconds that other layouts need not wait

    try:
        names, val_ids = torch.load(path, weights_only=True)
        return Meta({id_: ", ".join(words) for id_, words in names.items()}, _numbered(val_ids))
    except Exception as error:  # what torch raises of a damaged file is of no one class
        raise SourceError(
            f"{path} is damaged, or not what torchvision writes: remove it; {DEVKIT}.tar.gz holds "
            "the same"
        ) from error


def _kaggle_names(path: Path) -> dict[str, str]:
    return {id_: name.strip() for id_, name in _rows(path, " ")} if path.is_file() else {}


def _kaggle_labels(path: Path) -> dict[str, str]:
    """Lines of `ImageId,PredictionString`, the latter `<wnid> <box> ...`."""
    if not path.is_file():
        return {}
    columns, rows = read_csv(path)
    if not {"ImageId", "PredictionString"} <= set(columns):
        raise SourceError(f"{path} lacks the columns ImageId and PredictionString: fetch it again")
    labels = {}
    for line, row in rows:
        id_, *_ = (row["PredictionString"] or "").split() or [""]
        if not id_:
            raise SourceError(f"{path}, line {line}: no class; fetch it again")
        labels[row["ImageId"] or ""] = id_
    return labels


def _rows(path: Path, separator: str) -> list[tuple[str, str]]:
    """The first column of each line, and what follows it.

    Raises:
        SourceError: a line of one column; names it.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        first, found, rest = line.partition(separator)
        if found:
            rows.append((first.strip(), rest.strip()))
        elif line.strip():
            raise SourceError(f"{path}, line {number}: {line[:60]!r} has one column alone")
    return rows


def _numbered(ids: Iterable[str]) -> dict[str, str]:
    return {f"ILSVRC2012_val_{number:08d}": id_ for number, id_ in enumerate(ids, start=1)}
