"""The miniature world as an image tree in the layout of unpacked ImageNet 2012.

<root>/train/<wnid>/<wnid>_<number>.JPEG
<root>/val/<wnid>/ILSVRC2012_val_<number>.JPEG
<root>/LOC_synset_mapping.txt      a line a class: `n90000101 tabby cat`
<root>/annotations/train.parquet   ground truth, a row an image; val.parquet the same
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from zfrepro.data.miniature.kinds import IMAGENET_LIKE, Kind
from zfrepro.data.miniature.oddities import encode, planted
from zfrepro.data.miniature.scene import LANDMARKS, Picture, picture
from zfrepro.data.miniature.tree import (
    CHUNK,
    Rows,
    Tree,
    generator,
    noise,
    render_tree,
    write_image,
    write_table,
)
from zfrepro.files import atomic_write

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Chunk:
    """Images [start, stop) of one class of one split; `first` numbers them in the split."""

    split: str
    kind: Kind
    start: int
    stop: int
    first: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.kind.wnid}-{self.start:06d}"

    def __len__(self) -> int:
        return self.stop - self.start


class Drawn(NamedTuple):
    """An image file of the tree: its path, its bytes, their form, and what they show."""

    path: str
    content: bytes
    form: str
    picture: Picture


@dataclass(frozen=True)
class World(Tree[Chunk]):
    """The parameters of a rendered tree.

    `train_images` and `val_images` are totals, spread as evenly as they go over the first
    `classes` classes. `image_size` is the smallest short side; images go up to 1.6 times that.
    """

    outputs: ClassVar[Sequence[str]] = (*SPLITS, "annotations", "LOC_synset_mapping.txt")

    seed: int
    classes: int
    train_images: int
    val_images: int
    image_size: int

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return IMAGENET_LIKE[: self.classes]

    @property
    def bounds(self) -> dict[str, tuple[int, int]]:
        return {
            "classes": (2, len(IMAGENET_LIKE)),
            "train_images": (self.classes, 10**8),
            "val_images": (self.classes, 10**8),
            "image_size": (16, 1024),
        }

    def images(self, split: str) -> int:
        return self.train_images if split == "train" else self.val_images

    def shares(self, split: str) -> Iterator[tuple[Kind, int, int]]:
        """Each class with its first place in the split and its number of images."""
        total, classes, first = self.images(split), len(self.kinds), 0
        for rank, kind in enumerate(self.kinds):
            number = total // classes + (rank < total % classes)
            yield kind, first, number
            first += number

    def chunks(self) -> list[Chunk]:
        return [
            Chunk(split, kind, start, min(start + CHUNK, number), first + start)
            for split in SPLITS
            for kind, first, number in self.shares(split)
            for start in range(0, number, CHUNK)
        ]

    def draw(self, root: Path, chunk: Chunk) -> Rows:
        rows = []
        for offset, index in enumerate(range(chunk.start, chunk.stop)):
            drawn = file_of(self, chunk.split, chunk.kind, index, chunk.first + offset)
            write_image(root / drawn.path, drawn.content)
            rows.append(_row(drawn, chunk.kind))
        return rows

    def finish(self, root: Path, rows: dict[Chunk, Rows]) -> None:
        for split in SPLITS:
            of_split = [row for chunk in rows if chunk.split == split for row in rows[chunk]]
            write_table(root / "annotations" / f"{split}.parquet", of_split, _schema())
        names = "".join(f"{kind.wnid} {kind.name}\n" for kind in self.kinds)
        atomic_write(root / "LOC_synset_mapping.txt", names)


def render(
    root: Path,
    *,
    seed: int,
    classes: int,
    train_images: int,
    val_images: int,
    image_size: int,
    workers: int,
    progress: bool = True,
) -> None:
    """Renders the world into `root`, or returns at once where it already stands there.

    See `World` for the parameters, `render_tree` for `workers` and the errors.
    """
    world = World(seed, classes, train_images, val_images, image_size)
    render_tree(root, world, workers, progress=progress)


def render_one(world: World, split: str, kind: Kind, index: int) -> Picture:
    """Image `index` of a class, as the tree holds it but for the losses of JPEG."""
    return picture(kind, _generator(world, split, kind, index), noise(world.seed), world.image_size)


def file_of(world: World, split: str, kind: Kind, index: int, position: int) -> Drawn:
    """The file of image `index` of a class, which is the split's image `position`."""
    drawn = render_one(world, split, kind, index)
    form = _odd(world, split).get(position, "rgb")
    quality = int(_generator(world, split, kind, index, 1).integers(82, 96))
    content = encode(Image.fromarray(drawn.pixels), form, quality)
    return Drawn(_path(world, split, kind, index, position), content, form, drawn)


@cache
def _odd(world: World, split: str) -> dict[int, str]:
    return planted(split, world.images(split), world.seed)


def _path(world: World, split: str, kind: Kind, index: int, position: int) -> str:
    """Relative to the root; validation images are numbered without regard to class."""
    if split == "train":
        return f"train/{kind.wnid}/{kind.wnid}_{index + 1}.JPEG"
    number = int(_validation_numbers(world.seed, world.val_images)[position])
    return f"val/{kind.wnid}/ILSVRC2012_val_{number:08d}.JPEG"


@cache
def _validation_numbers(seed: int, images: int) -> Sequence[int]:
    return tuple((np.random.default_rng([seed, images]).permutation(images) + 1).tolist())


def _generator(
    world: World, split: str, kind: Kind, index: int, use: int = 0
) -> np.random.Generator:
    return generator(world.seed, SPLITS.index(split), int(kind.wnid[1:]), index, use)


def _row(drawn: Drawn, kind: Kind) -> dict[str, Any]:
    height, width = drawn.picture.pixels.shape[:2]
    return {
        "path": drawn.path,
        "wnid": kind.wnid,
        "name": kind.name,
        "form": drawn.form,
        "width": width,
        "height": height,
        "box": asdict(drawn.picture.box),
        "landmarks": {
            name: dict(zip("xy", at, strict=True)) for name, at in drawn.picture.landmarks.items()
        },
        "parts": [asdict(part) for part in drawn.picture.parts],
    }


def _schema() -> pa.Schema:
    point = pa.struct([("x", pa.float32()), ("y", pa.float32())])
    box = pa.struct([(side, pa.int32()) for side in ("left", "top", "right", "bottom")])
    part = pa.struct(
        [("name", pa.string()), ("x", pa.float32()), ("y", pa.float32()), ("box", box)]
    )
    return pa.schema(
        [
            *((name, pa.string()) for name in ("path", "wnid", "name", "form")),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("box", box),
            ("landmarks", pa.struct([(name, point) for name in LANDMARKS])),
            ("parts", pa.list_(part)),
        ]
    )
