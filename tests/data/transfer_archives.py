"""Caltech-101, Caltech-256 and VOC 2012 in small: the archives, in the true layouts."""

import io
import tarfile
import zipfile
from pathlib import Path

from imagenet_archives import tar_of
from pictures import encoded, jpeg, photograph

CALTECH101 = {"BACKGROUND_Google": 2, "accordion": 3, "water_lilly": 2}
CALTECH256 = {"001.ak47": 2, "056.dog": 2, "198.spider": 2, "257.clutter": 1}

# by image: (class, difficult) of its objects; None: the annotation lacks the optional tags
VOC_TRAIN = {
    "2008_000002": [("cat", False), ("aeroplane", True)],
    "2007_000027": [("person", None)],
    "2008_000008": [("cat", True)],
}
VOC_VAL = {"2009_000001": [("aeroplane", False), ("cat", False), ("cat", True)]}
VOC_CLASSES = ("aeroplane", "cat", "person")


def caltech101_files(prefix: str = "101_ObjectCategories") -> dict[str, bytes]:
    files = {
        f"{prefix}/{id_}/image_{number:04d}.jpg": jpeg(10 * k + number)
        for k, (id_, count) in enumerate(CALTECH101.items())
        for number in range(1, count + 1)
    }
    files[f"{prefix}/accordion/image_0002.jpg"] = encoded(photograph(5).convert("L"))
    files[f"{prefix}/BACKGROUND_Google/tmp"] = b"no image"  # as in the true archive
    return files


def write_caltech101(root: Path) -> Path:
    """caltech-101.zip, which holds the images as a tar, and another tar of outlines."""
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / "caltech-101.zip", "w") as packed:
        images = tar_of(caltech101_files(), "w:gz")
        packed.writestr("caltech-101/101_ObjectCategories.tar.gz", images)
        outlines = tar_of({"Annotations/accordion/annotation_0001.mat": b"outline"})
        packed.writestr("caltech-101/Annotations.tar", outlines)
        packed.writestr("__MACOSX/caltech-101/._101_ObjectCategories.tar.gz", b"\0\5\26\7")
    return root


def caltech256_files() -> dict[str, bytes]:
    """With the stray folder and the file that is not an image of the true archive."""
    files = {
        f"256_ObjectCategories/{id_}/{id_[:3]}_{number:04d}.jpg": jpeg(100 + 10 * k + number)
        for k, (id_, count) in enumerate(CALTECH256.items())
        for number in range(1, count + 1)
    }
    files["256_ObjectCategories/056.dog/greg/vision309/056_0001.jpg"] = jpeg(7)
    files["256_ObjectCategories/198.spider/RENAME2"] = b"mv 198_0001.jpg 198_0002.jpg"
    return files


def write_caltech256(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "256_ObjectCategories.tar").write_bytes(tar_of(caltech256_files()))
    return root


def voc_files() -> dict[str, bytes]:
    base = "VOCdevkit/VOC2012"
    lists = f"{base}/ImageSets/Main"
    files = {f"{base}/ImageSets/Layout/train.txt": b"2008_000002\n"}
    for split, images in (("train", VOC_TRAIN), ("val", VOC_VAL)):
        files[f"{lists}/{split}.txt"] = "".join(f"{id_}\n" for id_ in images).encode()
        for name in VOC_CLASSES:
            lines = (f"{id_} {flag(objects, name):2d}\n" for id_, objects in images.items())
            files[f"{lists}/{name}_{split}.txt"] = "".join(lines).encode()
    for number, (id_, objects) in enumerate({**VOC_TRAIN, **VOC_VAL}.items()):
        files[f"{base}/JPEGImages/{id_}.jpg"] = jpeg(200 + number)
        files[f"{base}/Annotations/{id_}.xml"] = annotation(id_, objects)
    files[f"{base}/JPEGImages/2011_000001.jpg"] = jpeg(300)  # of segmentation: in no list
    return files


def write_voc(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "VOCtrainval_11-May-2012.tar").write_bytes(tar_of(voc_files()))
    return root


def flag(objects: list[tuple[str, bool | None]], name: str) -> int:
    return max((0 if difficult else 1 for each, difficult in objects if each == name), default=-1)


def annotation(id_: str, objects: list[tuple[str, bool | None]]) -> bytes:
    things = "".join(
        f"<object><name>{name}</name>{optional(difficult)}"
        "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
        for name, difficult in objects
    )
    return f"<annotation><filename>{id_}.jpg</filename>{things}</annotation>".encode()


def optional(difficult: bool | None) -> str:
    if difficult is None:
        return ""
    return (
        f"<pose>Left</pose><truncated>0</truncated><difficult>{int(difficult)}</difficult>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    )


def tar_with(name: str, content: bytes = b"x", **attributes: object) -> bytes:
    """A tar of one member with any name and any attributes of TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        for key, value in attributes.items():
            setattr(member, key, value)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
