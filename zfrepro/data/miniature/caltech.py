"""Twins of Caltech-101 and Caltech-256, in the layout of their archives.

    <root>/caltech101/101_ObjectCategories/<class>/image_0001.jpg      with BACKGROUND_Google
    <root>/256_ObjectCategories/001.cactus/001_0001.jpg                with 257.clutter
    <root>/annotations/all.parquet                 ground truth, a row an image
    <root>/annotations/planted.parquet             copies of the source's training images

The background classes hold what the web shows: bare backdrops, chance assemblies of parts, and,
planted among them, near-duplicates of the source's training images.
"""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from zfrepro.data.miniature import duplicates
from zfrepro.data.miniature.canvas import Box
from zfrepro.data.miniature.duplicates import Original
from zfrepro.data.miniature.kinds import CALTECH101_LIKE, CALTECH256_LIKE, Kind
from zfrepro.data.miniature.oddities import encode
from zfrepro.data.miniature.parts import PARTS
from zfrepro.data.miniature.scene import empty, picture
from zfrepro.data.miniature.shapes import SHAPES
from zfrepro.data.miniature.textures import TEXTURES
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

GREY = 12  # one image in so many is grey, as some of Caltech-101's are
BARE = 0.4  # of the background class shows nothing


class Layout(NamedTuple):
    """How an archive keeps its images.

    Attributes:
        folder: of the class folders, below the root.
        background: the class of what belongs to none.
        file: the name of an image, from its class's folder and its number.
        odd: files beside the images that the real archive has, and what they hold.
    """

    folder: str
    kinds: tuple[Kind, ...]
    background: str
    file: str
    odd: dict[str, str]


LAYOUTS = {
    "caltech101": Layout(
        "caltech101/101_ObjectCategories",
        CALTECH101_LIKE,
        "BACKGROUND_Google",
        "image_{number:04d}.jpg",
        {},
    ),
    "caltech256": Layout(
        "256_ObjectCategories",
        CALTECH256_LIKE,
        "257.clutter",
        "{folder:.3}_{number:04d}.jpg",
        {"011.spider/RENAME2": "no image\n"},
    ),
}


@dataclass(frozen=True)
class CaltechWorld(Tree[Chunk]):
    """A twin: `images` of each of the first `classes` and of the background, `planted` copied."""

    outputs: ClassVar[Sequence[str]] = ("caltech101", "256_ObjectCategories", "annotations")

    layout_name: str
    seed: int
    classes: int
    images: int
    planted: int
    image_size: int
    source: World

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.layout_name]

    @property
    def kinds(self) -> dict[str, Kind | None]:
        """By folder; None is the background."""
        kinds: dict[str, Kind | None] = {
            kind.wnid: kind for kind in self.layout.kinds[: self.classes]
        }
        return kinds | {self.layout.background: None}

    @property
    def bounds(self) -> dict[str, tuple[int, int]]:
        return {
            "classes": (2, len(self.layout.kinds)),
            "images": (1, 9999),
            "planted": (0, self.images),
            "image_size": (16, 1024),
        }

    def chunks(self) -> list[Chunk]:
        return [chunk for id_ in self.kinds for chunk in chunks_of(id_, self.images)]

    def draw(self, root: Path, chunk: Chunk) -> Rows:
        return [self._image(root, chunk.group, index) for index in range(chunk.start, chunk.stop)]

    def finish(self, root: Path, rows: dict[Chunk, Rows]) -> None:
        every = [row for of_chunk in rows.values() for row in of_chunk]
        write_table(root / "annotations" / "all.parquet", every, _schema())
        copies = [row for row in every if row["source_path"]]
        write_table(root / "annotations" / "planted.parquet", copies, duplicates.SCHEMA)
        for name, content in self.layout.odd.items():
            atomic_write(root / self.layout.folder / name, content)

    def _image(self, root: Path, id_: str, index: int) -> dict[str, Any]:
        path = f"{id_}/{self.layout.file.format(folder=id_, number=index + 1)}"
        rng = generator(self.seed, zlib.crc32(f"{self.layout_name} {id_}".encode()), index)
        row: dict[str, Any] = {"path": path, "id": id_, "form": "rgb"}
        if original := self._copied(id_).get(index):
            copy = duplicates.copy(rng, self.source, original, index)
            content = copy.content
            row |= {"box": asdict(copy.box), **copy.row(path)}
        else:
            pixels, box = self._drawn(rng, id_)
            row["form"] = "grey" if index % GREY == GREY - 1 else "rgb"
            content = encode(Image.fromarray(pixels), row["form"], int(rng.integers(82, 96)))
            row |= {"box": asdict(box) if box else None, "source_path": None, "change": None}
        write_image(root / self.layout.folder / path, content)
        return row

    def _copied(self, id_: str) -> dict[int, Original]:
        """By number in the class, the images that are copies."""
        return _planted(self) if id_ == self.layout.background else {}

    def _drawn(
        self, rng: np.random.Generator, id_: str
    ) -> tuple[npt.NDArray[np.uint8], Box | None]:
        kind = self.kinds[id_]
        if kind is None and rng.random() < BARE:
            return empty(rng, noise(self.seed), self.image_size), None
        drawn = picture(kind or _chance(rng), rng, noise(self.seed), self.image_size)
        return drawn.pixels, drawn.box


@cache
def _planted(world: CaltechWorld) -> dict[int, Original]:
    rng = generator(world.seed, zlib.crc32(world.layout_name.encode()))
    places = rng.permutation(world.images)[: world.planted]
    found = duplicates.originals(rng, world.source, world.planted)
    return dict(zip(places.tolist(), found, strict=True))


def _chance(rng: np.random.Generator) -> Kind:
    """An object of no class."""
    body, texture = (
        names[rng.integers(len(names))] for names in (sorted(SHAPES), sorted(TEXTURES))
    )
    parts = rng.permutation(sorted(PARTS))[: rng.integers(0, 3)]
    size = (float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.5, 1.0)))
    hue = float(rng.uniform(0, 360))
    return Kind("", "chance", body, size, (texture,), tuple(parts.tolist()), hue, view="top")


def _schema() -> pa.Schema:
    box = pa.struct([(side, pa.int32()) for side in ("left", "top", "right", "bottom")])
    names = ("path", "id", "form", "source_path", "change")
    return pa.schema([*((name, pa.string()) for name in names), ("box", box)])
