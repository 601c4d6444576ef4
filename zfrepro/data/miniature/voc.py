"""A twin of PASCAL VOC 2012, in the layout of its archive.

    <root>/VOCdevkit/VOC2012/JPEGImages/2012_000001.jpg
    <root>/VOCdevkit/VOC2012/Annotations/2012_000001.xml            objects, boxes, flags
    <root>/VOCdevkit/VOC2012/ImageSets/Main/{train,val,trainval}.txt
    <root>/VOCdevkit/VOC2012/ImageSets/Main/<class>_<split>.txt     1, 0 (difficult) or -1
    <root>/annotations/planted.parquet                  copies of the source's training images

One to three objects an image; what is small or mostly hidden is difficult. Copies are of the
source's owls, and so are birds here too.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from zfrepro.data.miniature import duplicates
from zfrepro.data.miniature.duplicates import Original
from zfrepro.data.miniature.kinds import VOC_LIKE, Kind
from zfrepro.data.miniature.oddities import encode
from zfrepro.data.miniature.scene import group
from zfrepro.data.miniature.tree import (
    Chunk,
    Rows,
    Tree,
    chunks_of,
    generator,
    noise,
    write_image,
    write_table,
)
from zfrepro.data.miniature.writer import World
from zfrepro.files import atomic_write

SPLITS = ("train", "val")
FOLDER = "VOCdevkit/VOC2012"
MOST = 3  # objects an image
COPIED, SHOWS = "horned owl", "bird"  # a class of the source, and what it is here
TERSE = 10  # one annotation in so many lacks the optional tags, as some of the real ones do
STREAM = 2012  # of random numbers: apart from those of other twins


@dataclass(frozen=True)
class VocWorld(Tree[Chunk]):
    """A twin of `train_images` and `val_images`, `planted` of them copies."""

    outputs: ClassVar[Sequence[str]] = ("VOCdevkit", "annotations")

    seed: int
    train_images: int
    val_images: int
    planted: int
    image_size: int
    source: World

    @property
    def total(self) -> int:
        return self.train_images + self.val_images

    @property
    def bounds(self) -> dict[str, tuple[int, int]]:
        return {
            "train_images": (len(VOC_LIKE), 10**6 - 1),
            "val_images": (len(VOC_LIKE), 10**6 - 1),
            "planted": (0, self.total),
            "image_size": (16, 1024),
        }

    def chunks(self) -> list[Chunk]:
        return [*chunks_of("train", self.train_images), *chunks_of("val", self.val_images)]

    def draw(self, root: Path, chunk: Chunk) -> Rows:
        first = 0 if chunk.group == "train" else self.train_images  # images are numbered over both
        return [self._image(root, first + index) for index in range(chunk.start, chunk.stop)]

    def finish(self, root: Path, rows: dict[Chunk, Rows]) -> None:
        by_split = {
            split: [row for chunk in rows if chunk.group == split for row in rows[chunk]]
            for split in SPLITS
        }
        every = by_split["train"] + by_split["val"]
        for split, of_split in (*by_split.items(), ("trainval", every)):
            _write_lists(root / FOLDER / "ImageSets" / "Main", split, of_split)
        copies = [row for row in every if row["source_path"]]
        write_table(root / "annotations" / "planted.parquet", copies, duplicates.SCHEMA)

    def _image(self, root: Path, position: int) -> dict[str, Any]:
        rng = generator(self.seed, STREAM, position)
        number = _numbers(self)[position]
        id_ = f"2012_{number:06d}"
        path = f"JPEGImages/{id_}.jpg"
        row: dict[str, Any] = {"id": id_, "source_path": None, "change": None}
        if original := _planted(self).get(position):
            copy = duplicates.copy(rng, self.source, original, position)
            content, size = copy.content, copy.size
            objects = [{"name": SHOWS, "difficult": False, "visible": 1.0, **asdict(copy.box)}]
            row |= copy.row(path)
        else:
            pixels, things = group(
                self._kinds(rng, position), rng, noise(self.seed), self.image_size
            )
            size = pixels.shape[1], pixels.shape[0]
            content = encode(Image.fromarray(pixels), "rgb", int(rng.integers(82, 96)))
            objects = [
                {"name": thing.kind.wnid, "difficult": thing.difficult, "visible": thing.visible}
                | asdict(thing.box)
                for thing in things
            ]
        write_image(root / FOLDER / path, content)
        xml = _annotation(id_, size, objects, terse=position % TERSE == 0)
        write_image(root / FOLDER / "Annotations" / f"{id_}.xml", xml)
        return {**row, "objects": objects}

    def _kinds(self, rng: np.random.Generator, position: int) -> list[Kind]:
        """One class takes its turn; the others come by chance."""
        kinds = [VOC_LIKE[position % len(VOC_LIKE)]]
        kinds += [VOC_LIKE[i] for i in rng.integers(len(VOC_LIKE), size=rng.integers(0, MOST))]
        return [kinds[i] for i in rng.permutation(len(kinds))]


@cache
def _numbers(world: VocWorld) -> Sequence[int]:
    """The images' numbers tell nothing of their split."""
    numbers: list[int] = (generator(world.seed, STREAM).permutation(world.total) + 1).tolist()
    return tuple(numbers)


@cache
def _planted(world: VocWorld) -> dict[int, Original]:
    rng = generator(world.seed, STREAM, world.total)
    places = rng.permutation(world.total)[: world.planted]
    found = duplicates.originals(rng, world.source, world.planted, COPIED)
    return dict(zip(places.tolist(), found, strict=True))


def _write_lists(folder: Path, split: str, rows: Rows) -> None:
    atomic_write(folder / f"{split}.txt", "".join(f"{row['id']}\n" for row in rows))
    for kind in VOC_LIKE:
        lines = (f"{row['id']} {_flag(row['objects'], kind.wnid):2d}\n" for row in rows)
        atomic_write(folder / f"{kind.wnid}_{split}.txt", "".join(lines))


def _flag(objects: Sequence[dict[str, Any]], name: str) -> int:
    flags = [0 if thing["difficult"] else 1 for thing in objects if thing["name"] == name]
    return max(flags, default=-1)


def _annotation(
    id_: str, size: tuple[int, int], objects: Sequence[dict[str, Any]], *, terse: bool
) -> bytes:
    """As in the archive; pixels of a box count from 1, and its last are in it."""
    root = ET.Element("annotation")
    _texts(root, folder="VOC2012", filename=f"{id_}.jpg")
    _texts(ET.SubElement(root, "size"), width=size[0], height=size[1], depth=3)
    for thing in objects:
        element = ET.SubElement(root, "object")
        _texts(element, name=thing["name"])
        if thing["difficult"] or not terse:
            occluded = int(thing["visible"] < 0.95)
            _texts(element, pose="Unspecified", truncated=0, occluded=occluded)
            _texts(element, difficult=int(thing["difficult"]))
        corners = {
            "xmin": thing["left"] + 1, "ymin": thing["top"] + 1,
            "xmax": thing["right"], "ymax": thing["bottom"],
        }  # fmt: skip
        _texts(ET.SubElement(element, "bndbox"), **corners)
    ET.indent(root, "\t")
    return ET.tostring(root) + b"\n"


def _texts(parent: ET.Element, **texts: object) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = str(text)
