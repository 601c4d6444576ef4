"""ImageNet's published boxes: where in a validation image its object is (for figure 7)."""

import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
from tqdm import tqdm

from zfrepro.data.listing import SourceError

ARCHIVE = "ILSVRC2012_bbox_val_v3.tgz"
KAGGLE = Path("ILSVRC/Annotations/CLS-LOC/val")
SIDES = ("xmin", "ymin", "xmax", "ymax")
SCHEMA = pa.schema([
    ("path", pa.string()), ("width", pa.int32()), ("height", pa.int32()),
    ("box", pa.struct([(side, pa.int32()) for side in ("left", "top", "right", "bottom")])),
    ("landmarks", pa.null()),
])  # fmt: skip


def read_boxes(base: Path, paths: Sequence[str]) -> pa.Table | None:
    """A line for each image of these paths, as `data.annotations` reads it; None without a file.

    Of several objects the box is the least that holds them all. An image that no file is about has
    none.

    Raises:
        SourceError: the archive or one of its files is damaged.
    """
    folder, archive = base / KAGGLE, base / ARCHIVE
    files: Iterator[tuple[str, bytes]]
    if folder.is_dir():
        files = ((path.name, path.read_bytes()) for path in folder.glob("*.xml"))
    elif archive.is_file():
        files = _unpacked(archive)
    else:
        return None
    bar = tqdm(files, "reading boxes", unit="file", leave=False, disable=None)
    known = {PurePosixPath(name).stem: _parsed(name, content) for name, content in bar}
    nothing = {"width": 0, "height": 0, "box": None}
    rows = [
        {"path": path, "landmarks": None, **known.get(PurePosixPath(path).stem, nothing)}
        for path in paths
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def _unpacked(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None and member.name.endswith(".xml"):
                    yield member.name, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(
            f"{archive} is damaged ({error}): compare its md5 sum with the published one and "
            "download it again, or remove it: figure 7 is then drawn without a score"
        ) from error


def _parsed(name: str, content: bytes) -> dict[str, object]:
    """Width, height and box of a file of PASCAL VOC's form; its pixels are counted from 1."""
    try:
        root = ET.fromstring(content)  # noqa: S314  expat refuses what would grow without end
        width, height = (int(root.findtext(f"size/{side}") or "") for side in ("width", "height"))
        corners = [
            [round(float(box.findtext(side) or "")) for side in SIDES]
            for box in root.iterfind("object/bndbox")
        ]
    except (ET.ParseError, ValueError) as error:
        raise SourceError(f"{name} is no annotation of an image ({error})") from error
    if not corners:
        return {"width": width, "height": height, "box": None}
    lefts, tops, rights, bottoms = zip(*corners, strict=True)
    box = {
        "left": max(min(lefts) - 1, 0), "top": max(min(tops) - 1, 0),
        "right": min(max(rights), width), "bottom": min(max(bottoms), height),
    }  # fmt: skip
    return {"width": width, "height": height, "box": box}
