"""Writes the miniature world as an image tree in the layout of unpacked ImageNet 2012.

    <root>/train/<wnid>/<wnid>_<number>.JPEG
    <root>/val/<wnid>/ILSVRC2012_val_<number>.JPEG
    <root>/LOC_synset_mapping.txt      a line a class: `n90000101 tabby cat`
    <root>/annotations/train.parquet   ground truth, a row an image; val.parquet the same
    <root>/world.json                  the parameters; written last, so its presence means done

Work is cut into chunks of one class. A chunk writes its images, then its rows of ground truth;
a start after a kill repeats the chunks that lack rows. Each image has a random generator of its
own, so neither the number of workers nor a kill changes a byte.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from zfrepro.data.miniature.backdrop import Noise
from zfrepro.data.miniature.kinds import IMAGENET_LIKE, Kind
from zfrepro.data.miniature.oddities import encode, planted
from zfrepro.data.miniature.scene import LANDMARKS, Picture, picture
from zfrepro.data.workers import worker_processes
from zfrepro.files import atomic_path, atomic_write, exclusive, write_json

SPLITS = ("train", "val")
MARKER = "world.json"
CHUNK = 20  # images

_UNFINISHED = ".unfinished"
_OUTPUTS = (*SPLITS, "annotations", "LOC_synset_mapping.txt", MARKER, _UNFINISHED)


@dataclass(frozen=True)
class World:
    """The parameters of a rendered tree."""

    seed: int
    classes: int
    train_images: int
    val_images: int
    image_size: int

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return IMAGENET_LIKE[: self.classes]

    def images(self, split: str) -> int:
        return self.train_images if split == "train" else self.val_images

    def signature(self) -> dict[str, Any]:
        """What decides every byte of the tree: the parameters and the renderer itself."""
        return {**asdict(self), "renderer": _source_digest()}


@dataclass(frozen=True)
class Chunk:
    """Images [start, stop) of one class of one split; `first` numbers them in the split."""

    split: str
    kind: Kind
    start: int
    stop: int
    first: int

    @property
    def rows_file(self) -> str:
        return f"{self.split}-{self.kind.wnid}-{self.start:06d}.json"


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

    `train_images` and `val_images` are totals, spread as evenly as they go over the first
    `classes` classes. `image_size` is the smallest short side; images go up to 1.6 times that.
    `workers` processes share the work (0 or 1: none but this one). A tree of other parameters
    in `root` is replaced.

    Raises:
        ValueError: a count that cannot be rendered; names it and its bounds.
        FileExistsError: `root` holds an image tree that this renderer did not write.
        LockedError: another process renders into `root`.
    """
    world = World(seed, classes, train_images, val_images, image_size)
    _check(world)
    with exclusive(root, "rendering the miniature world"):
        if _holds(root / MARKER, world):
            return
        if not _holds(root / _UNFINISHED / MARKER, world):
            _clear(root)
        write_json(root / _UNFINISHED / MARKER, world.signature())
        _render_missing(root, world, workers, progress)
        _write_annotations(root, world)
        names = "".join(f"{kind.wnid} {kind.name}\n" for kind in world.kinds)
        atomic_write(root / "LOC_synset_mapping.txt", names)
        write_json(root / MARKER, world.signature())
        shutil.rmtree(root / _UNFINISHED)


def render_one(world: World, split: str, kind: Kind, index: int) -> Picture:
    """Image `index` of a class, as the tree holds it but for the losses of JPEG."""
    return picture(
        kind, _generator(world, split, kind, index), _noise(world.seed), world.image_size
    )


def _check(world: World) -> None:
    bounds = {
        "classes": (2, len(IMAGENET_LIKE)),
        "train_images": (world.classes, 10**8),
        "val_images": (world.classes, 10**8),
        "image_size": (16, 1024),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(world, name) <= high:
            given = getattr(world, name)
            raise ValueError(f"{name}={given}: the miniature world takes {low} to {high}")


def _holds(marker: Path, world: World) -> bool:
    try:
        return bool(json.loads(marker.read_text(encoding="utf-8")) == world.signature())
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _clear(root: Path) -> None:
    """Removes an earlier world, and nothing else."""
    ours = (root / MARKER).exists() or (root / _UNFINISHED).exists()
    if not ours and any((root / name).exists() for name in _OUTPUTS):
        raise FileExistsError(
            f"{root} holds images that the miniature renderer did not write; "
            "point data.root to another folder, or remove them"
        )
    for name in _OUTPUTS:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _chunks(world: World) -> Iterator[Chunk]:
    for split in SPLITS:
        total, classes = world.images(split), len(world.kinds)
        first = 0
        for rank, kind in enumerate(world.kinds):
            number = total // classes + (rank < total % classes)
            for start in range(0, number, CHUNK):
                yield Chunk(split, kind, start, min(start + CHUNK, number), first + start)
            first += number


def _render_missing(root: Path, world: World, workers: int, progress: bool) -> None:
    rows = root / _UNFINISHED
    chunks = list(_chunks(world))
    todo = [chunk for chunk in chunks if not (rows / chunk.rows_file).exists()]
    total = sum(chunk.stop - chunk.start for chunk in chunks)
    missing = sum(chunk.stop - chunk.start for chunk in todo)
    bar = tqdm(
        desc="rendering", unit="image", total=total, initial=total - missing,
        disable=None if progress else True,  # None: on a terminal alone
    )  # fmt: skip
    with bar:
        for done in _shared_out(partial(_render_chunk, root, world), todo, workers):
            bar.update(done)


def _shared_out(
    work: Callable[[Chunk], int], chunks: Sequence[Chunk], workers: int
) -> Iterator[int]:
    if min(workers, len(chunks)) <= 1:
        yield from map(work, chunks)
        return
    with worker_processes(min(workers, len(chunks))) as pool:
        yield from pool.map(work, chunks)


def _render_chunk(root: Path, world: World, chunk: Chunk) -> int:
    odd = planted(chunk.split, world.images(chunk.split), world.seed)
    rows = []
    for index in range(chunk.start, chunk.stop):
        position = chunk.first + index - chunk.start
        drawn = render_one(world, chunk.split, chunk.kind, index)
        path = _path(world, chunk.split, chunk.kind, index, position)
        form = odd.get(position, "rgb")
        quality = int(_generator(world, chunk.split, chunk.kind, index, 1).integers(82, 96))
        _write(root / path, encode(Image.fromarray(drawn.pixels), form, quality))
        rows.append(_row(path, chunk.kind, form, drawn))
    write_json(root / _UNFINISHED / chunk.rows_file, rows)
    return chunk.stop - chunk.start


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; no fsync, since a chunk without rows is rendered again anyway."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _path(world: World, split: str, kind: Kind, index: int, position: int) -> str:
    """Relative to the root; validation images are numbered without regard to class."""
    if split == "train":
        return f"train/{kind.wnid}/{kind.wnid}_{index + 1}.JPEG"
    number = int(_validation_numbers(world.seed, world.val_images)[position])
    return f"val/{kind.wnid}/ILSVRC2012_val_{number:08d}.JPEG"


@cache
def _validation_numbers(seed: int, images: int) -> Sequence[int]:
    return tuple((np.random.default_rng([seed, images]).permutation(images) + 1).tolist())


@cache
def _noise(seed: int) -> Noise:
    return Noise(seed)


def _generator(
    world: World, split: str, kind: Kind, index: int, use: int = 0
) -> np.random.Generator:
    key = [world.seed, SPLITS.index(split), int(kind.wnid[1:]), index, use]
    return np.random.default_rng(key)


def _row(path: str, kind: Kind, form: str, drawn: Picture) -> dict[str, Any]:
    height, width = drawn.pixels.shape[:2]
    return {
        "path": path,
        "wnid": kind.wnid,
        "name": kind.name,
        "form": form,
        "width": width,
        "height": height,
        "box": asdict(drawn.box),
        "landmarks": {
            name: dict(zip("xy", at, strict=True)) for name, at in drawn.landmarks.items()
        },
        "parts": [asdict(part) for part in drawn.parts],
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


def _write_annotations(root: Path, world: World) -> None:
    for split in SPLITS:
        rows: list[dict[str, Any]] = []
        for chunk in _chunks(world):
            if chunk.split == split:
                file = root / _UNFINISHED / chunk.rows_file
                rows += json.loads(file.read_text(encoding="utf-8"))
        table = pa.Table.from_pylist(rows, schema=_schema())
        with atomic_path(root / "annotations" / f"{split}.parquet") as temporary:
            pq.write_table(table, temporary)


@cache
def _source_digest() -> str:
    """Of this package's source: a changed renderer makes a new tree."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
