"""Rendering an image tree into a folder: shared out, restartable, and whole before it is marked.

    <root>/world.json     the parameters; written last, so its presence means done
    <root>/.unfinished/   while it is being rendered: the chunks that are done

Work is cut into chunks. A chunk writes its images, then its rows of ground truth; a start after a
kill repeats the chunks that lack rows. Each image has a random generator of its own, so neither
the number of workers nor a kill changes a byte.
"""

import hashlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from zfrepro.data.miniature.backdrop import Noise
from zfrepro.files import atomic_path, exclusive, write_json
from zfrepro.workers import shared_map

MARKER = "world.json"
UNFINISHED = ".unfinished"
CHUNK = 20  # images
FEW = 150  # images

Rows = list[dict[str, Any]]


class Part(Protocol):
    """Some images of a tree, rendered in one piece."""

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Chunk:
    """Images [start, stop) of a group: a class or a split."""

    group: str
    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.group}-{self.start:06d}"

    def __len__(self) -> int:
        return self.stop - self.start


def chunks_of(group: str, images: int) -> list[Chunk]:
    """A group of so many images, in pieces."""
    return [Chunk(group, start, min(start + CHUNK, images)) for start in range(0, images, CHUNK)]


C = TypeVar("C", bound=Part)


class Tree(ABC, Generic[C]):
    """What to render: a frozen dataclass of parameters.

    `outputs` are the names below the root that rendering makes, beside the marker.
    """

    outputs: ClassVar[Sequence[str]]

    @property
    @abstractmethod
    def bounds(self) -> dict[str, tuple[int, int]]:
        """The lowest and the highest value of parameters that have such."""

    @abstractmethod
    def chunks(self) -> list[C]:
        """All the work, in the order of the rows of ground truth."""

    @abstractmethod
    def draw(self, root: Path, chunk: C) -> Rows:
        """Writes a chunk's images; returns their ground truth, JSON-able."""

    @abstractmethod
    def finish(self, root: Path, rows: dict[C, Rows]) -> None:
        """Writes what tells of all images: lists and annotations."""

    def signature(self) -> dict[str, Any]:
        """What decides every byte of the tree: the parameters and the renderer itself."""
        return {**asdict(self), "renderer": _source_digest()}  # type: ignore[call-overload]


def render_tree(root: Path, tree: Tree[C], workers: int, *, progress: bool = True) -> None:
    """Renders `tree` into `root`, or returns at once where it already stands there.

    `workers` processes share the work (0 or 1: none but this one). A tree of other parameters in
    `root` is replaced.

    Raises:
        ValueError: a count that cannot be rendered; names it and its bounds.
        FileExistsError: `root` holds an image tree that this renderer did not write.
        LockedError: another process renders into `root`.
    """
    _check(tree)
    with exclusive(root, "rendering the miniature world"):
        if _holds(root / MARKER, tree):
            return
        if not _holds(root / UNFINISHED / MARKER, tree):
            _clear(root, tree)
        write_json(root / UNFINISHED / MARKER, tree.signature())
        _render_missing(root, tree, workers, progress)
        tree.finish(root, {chunk: _rows(root, chunk) for chunk in tree.chunks()})
        write_json(root / MARKER, tree.signature())
        shutil.rmtree(root / UNFINISHED)


def write_image(path: Path, content: bytes) -> None:
    """Whole or not at all; no fsync, since a chunk without rows is rendered again anyway."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def write_table(path: Path, rows: Rows, schema: pa.Schema) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)


@cache
def noise(seed: int) -> Noise:
    return Noise(seed)


def generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _check(tree: Tree[C]) -> None:
    for name, (low, high) in tree.bounds.items():
        given = getattr(tree, name)
        if not low <= given <= high:
            raise ValueError(f"{name}={given}: the miniature world takes {low} to {high}")


def _holds(marker: Path, tree: Tree[C]) -> bool:
    try:
        return bool(json.loads(marker.read_text(encoding="utf-8")) == tree.signature())
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _clear(root: Path, tree: Tree[C]) -> None:
    """Removes an earlier world, and nothing else."""
    ours = (root / MARKER).exists() or (root / UNFINISHED).exists()
    if not ours and any((root / name).exists() for name in tree.outputs):
        raise FileExistsError(
            f"{root} holds images that the miniature renderer did not write; "
            "point data.root to another folder, or remove them"
        )
    for name in (*tree.outputs, MARKER, UNFINISHED):
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _render_missing(root: Path, tree: Tree[C], workers: int, progress: bool) -> None:
    chunks = tree.chunks()
    todo = [chunk for chunk in chunks if not _rows_file(root, chunk).exists()]
    total, missing = sum(map(len, chunks)), sum(map(len, todo))
    bar = tqdm(
        desc="rendering", unit="image", total=total, initial=total - missing,
        disable=None if progress else True,  # None: on a terminal alone
    )  # fmt: skip
    with bar:
        # where there are few, no process has started before they are drawn
        shared = min(workers, len(todo)) if missing >= FEW else 1
        with shared_map(shared) as each:
            for done in each(partial(_render_chunk, root, tree), todo):
                bar.update(done)


def _render_chunk(root: Path, tree: Tree[C], chunk: C) -> int:
    write_json(_rows_file(root, chunk), tree.draw(root, chunk))
    return len(chunk)


def _rows_file(root: Path, chunk: Part) -> Path:
    return root / UNFINISHED / f"{chunk.name}.json"


def _rows(root: Path, chunk: Part) -> Rows:
    rows: Rows = json.loads(_rows_file(root, chunk).read_text(encoding="utf-8"))
    return rows


@cache
def _source_digest() -> str:
    """Of this package's source: a changed renderer makes a new tree."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
