"""One shard of a preparation: some images of a split decoded, stored and recorded.

A shard's record, `shards/<split>-<number>.parquet.gz`, is written last. Where it stands, the
shard's pixels are on the disk, so a preparation that was killed goes on with the first shard
without one.
"""

import hashlib
import io
import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from zfrepro.data.decode import BadImageError, decode, fit
from zfrepro.data.listing import Listing, Pixels
from zfrepro.files import atomic_path, keep, kept, named

FOLDER = "shards"
SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the source's root
        ("label", pa.int64()),
        ("width", pa.int32()),  # of the source file, as the next three
        ("height", pa.int32()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("bytes", pa.int64()),
        ("content", pa.string()),  # 64 bits of a digest of the file: equal for equal files
        ("reason", pa.string()),  # why there are no pixels; null for a good image
        ("offset", pa.int64()),  # place and length in the packed file; null in an array
        ("length", pa.int64()),
        ("crc", pa.uint32()),  # CRC-32 of the stored bytes
    ]
)


@dataclass(frozen=True)
class Recipe:
    """How an image becomes pixels, and how these are stored ("uint8" or "jpeg")."""

    image_size: int
    filter: str
    storage: str
    jpeg_quality: int


@dataclass(frozen=True)
class Shard:
    """Images [start, stop) of a split."""

    split: str
    number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:06d}"

    def __len__(self) -> int:
        return self.stop - self.start


def cut(split: str, images: int) -> list[Shard]:
    """The shards of a split; a function of their number alone, so that every start cuts alike."""
    size = min(max(images // 64, 32), 1024)
    return [
        Shard(split, number, start, min(start + size, images))
        for number, start in enumerate(range(0, images, size))
    ]


def record_path(work: Path, shard: Shard) -> Path:
    return work / FOLDER / f"{shard.name}.parquet.gz"


def sums_path(work: Path, shard: Shard) -> Path:
    """uint32 (S, S, 3): each pixel summed over the shard's good images, for the mean image."""
    return work / FOLDER / f"{shard.name}.sums.gz"


def packed_path(work: Path, shard: Shard) -> Path:
    return work / FOLDER / f"{shard.name}.jpegs"


def array_path(work: Path, split: str) -> Path:
    return work / f"{split}.npy"


def make_shard(work: Path, recipe: Recipe, shard: Shard, files: Listing) -> int:
    """Decodes, stores and records a shard's `files`; returns their number."""
    size = recipe.image_size
    rows: list[dict[str, Any]] = []
    sums = np.zeros((size, size, 3), dtype=np.uint32)  # 1024 images reach 2^18
    digest = hashlib.sha256()
    with _store(work, recipe, shard) as store:
        for i in range(len(files)):
            row, pixels = _image(files, i, recipe)
            stored = store.put(pixels, row)
            if pixels is not None:
                sums += pixels
            digest.update(f"{row['label']} {row['reason'] is None} {len(stored)} ".encode())
            digest.update(stored)
            rows.append(row | {"crc": zlib.crc32(stored)})
    keep(sums_path(work, shard), sums.tobytes())
    _write_record(record_path(work, shard), rows, digest.hexdigest())
    return len(rows)


def is_made(work: Path, shard: Shard) -> bool:
    """Whether the shard's record and sums are there, and whole."""
    return all(kept(path(work, shard)) is not None for path in (record_path, sums_path))


def read_record(record: Path) -> pa.Table:
    """The rows of a shard; `digest` in the schema's metadata is of its labels and stored pixels."""
    return pq.read_table(pa.BufferReader(kept(record)))


def read_sums(work: Path, shard: Shard, image_size: int) -> NDArray[np.int64]:
    """What `sums_path` holds of a shard that `is_made`, (S, S, 3)."""
    sums = np.frombuffer(kept(sums_path(work, shard)) or b"", dtype=np.uint32)
    return sums.astype(np.int64).reshape(image_size, image_size, 3)


def printable(path: str) -> str:
    """`path` as valid Unicode: file names may hold any bytes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def content_digest(content: bytes | Pixels) -> str:
    """Of a file's bytes or an array's, as the index has it: equal for equal files."""
    raw = content if isinstance(content, bytes) else np.ascontiguousarray(content).data
    return hashlib.blake2b(raw, digest_size=8).hexdigest()


def _image(files: Listing, i: int, recipe: Recipe) -> tuple[dict[str, Any], Pixels | None]:
    """The index's row for a file, and its pixels (S, S, 3); None where the row has a reason."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {"path": printable(files.paths[i]), "label": int(files.labels[i])}
    try:
        content = files.read(i)
        row["bytes"] = len(content) if isinstance(content, bytes) else content.nbytes
        row["content"] = content_digest(content)
        image, row["format"], row["mode"] = decode(content)
        row["width"], row["height"] = image.size
        return row, np.asarray(fit(image, recipe.image_size, recipe.filter))
    except BadImageError as error:
        row["reason"] = str(error)
    except OSError as error:
        row["reason"] = f"unreadable: {error.strerror or error}"
    return row, None


def _write_record(path: Path, rows: list[dict[str, Any]], digest: str) -> None:
    schema = SCHEMA.with_metadata({"digest": digest})
    table = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), table)
    keep(path, table.getvalue().to_pybytes())


class _Store(ABC):
    """Where a shard's pixels go."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @abstractmethod
    def put(self, pixels: Pixels | None, row: dict[str, Any]) -> bytes | memoryview:
        """Stores the next image; notes its place in `row` and returns the bytes stored."""


class _Array(_Store):
    """Rows of the split's array. Written, not mapped: a full disk is then an error, not a crash."""

    def __init__(self, file: BinaryIO, image_size: int) -> None:
        super().__init__(file)
        self._blank = np.zeros((image_size, image_size, 3), dtype=np.uint8)

    def put(self, pixels: Pixels | None, row: dict[str, Any]) -> bytes | memoryview:
        stored = np.ascontiguousarray(self._blank if pixels is None else pixels).data
        self._file.write(stored)
        return stored


class _Packed(_Store):
    """JPEGs one after the other; a bad image has length 0."""

    def __init__(self, file: BinaryIO, quality: int) -> None:
        super().__init__(file)
        self._quality = quality

    def put(self, pixels: Pixels | None, row: dict[str, Any]) -> bytes | memoryview:
        stored = b"" if pixels is None else _jpeg(pixels, self._quality)
        row |= {"offset": self._file.tell(), "length": len(stored)}
        self._file.write(stored)
        return stored


@contextmanager
def _store(work: Path, recipe: Recipe, shard: Shard) -> Iterator[_Store]:
    """A store whose content has reached the disk when the block ends."""
    if recipe.storage == "jpeg":
        with atomic_path(packed_path(work, shard)) as temporary, temporary.open("wb") as file:
            yield _Packed(file, recipe.jpeg_quality)
        return
    path = array_path(work, shard.split)
    with named(path), path.open("r+b") as file:
        row_bytes = recipe.image_size**2 * 3
        file.seek(array_header(file) + shard.start * row_bytes)
        yield _Array(file, recipe.image_size)
        file.flush()
        os.fsync(file.fileno())


def array_header(file: BinaryIO) -> int:
    """Bytes before the first row of a .npy file."""
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return file.tell()


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
