"""Prepared images, read at the speed of memory: only the pixels of a crop are copied.

A prepared set is a folder that `prepare` wrote: `manifest.json`, and for each split an index
(`train.parquet`) and the pixels, as one array (`train.npy`) or as packed JPEGs (`train.jpegs`).
Where images show several classes, `objects.parquet` tells which (`listing.Source.objects`).
"""

import copy
import hashlib
import io
import json
import mmap
import os
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from zfrepro.files import DamagedError, check

ABSENT = "absent"  # the file that alone is in the folder of a set that a profile has not

Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]


class StoreError(OSError):
    """A prepared set that is not there, or not whole; says which file and what to do."""


class PreparedSet:
    """A folder of prepared images.

    Raises (on opening, and on the first use of a split):
        StoreError: a file is missing, cut off, or not the one the manifest tells of.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.image_size: int = manifest["image_size"]
        self.classes = tuple((c["id"], c["name"]) for c in manifest["classes"])
        self.left_out: dict[str, Ints] = {}  # by split, numbers of the images that it goes without

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        path = Path(folder) / "manifest.json"
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            prepared = cls(Path(folder), manifest)
        except FileNotFoundError as error:
            if path.with_name(ABSENT).is_file():
                raise StoreError(f"{path.parent} is empty: this profile has no such set") from error
            raise StoreError(f"{path} is not there: `dvc repro prepare` makes it") from error
        except (ValueError, KeyError, TypeError) as error:  # no JSON or no text, or another one's
            raise StoreError(f"{path} is not a manifest of a prepared set ({error})") from error
        if manifest.get("seal") != seal(manifest):
            what = f"{path} is damaged, or of another version"
            raise StoreError(f"{what}: {_remedy(manifest)}")
        try:
            check(path.parent, manifest["files"])
        except DamagedError as error:
            raise StoreError(f"{error}: {_remedy(manifest)}") from error
        for name in manifest["splits"]:
            prepared.split(name)
        return prepared

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """The mean image of the first split (train), (S, S, 3), between 0 and 255."""
        path = self.folder / "mean.npy"
        return np.array(_map(path, self.manifest))

    def split(self, name: str) -> "Split":
        """The images of a split ("train", "val"; "all" of a set that protocols split)."""
        if name not in self.manifest["splits"]:
            known = ", ".join(self.manifest["splits"])
            raise StoreError(f"{self.folder} has no split {name!r}; it has {known}")
        return Split(self.folder, name, self.manifest, self.left_out.get(name, ()))

    def check(self) -> None:
        """Reads every image, and each is checked as it is read. Raises StoreError."""
        for name in self.manifest["splits"]:
            split = self.split(name)
            for i in range(len(split)):
                split[i]

    def without(self, split: str, images: ArrayLike) -> Self:
        """This set with images left out of `split`, so that those after them move up.

        The mean image stays that of all. `images` are numbers within the good images.
        """
        reduced = type(self)(self.folder, self.manifest)
        reduced.left_out = {**self.left_out, split: np.asarray(images, dtype=np.int64)}
        return reduced


class Split:
    """The good images of a split but those in `left_out`, numbered 0 to n - 1.

    Safe to hand to other processes: what is opened here is opened anew there.
    """

    def __init__(
        self, folder: Path, name: str, manifest: dict[str, Any], left_out: ArrayLike = ()
    ) -> None:
        self.name = name
        self.image_size: int = manifest["image_size"]
        self._index = _existing(folder / f"{name}.parquet", manifest)
        table = pq.ParquetFile(self._index).read(["label", "reason", "offset", "length", "crc"])
        good = to_array(table["reason"].is_null().cast(pa.uint8())).astype(bool)
        self._rows: Ints = np.flatnonzero(good)
        self.labels: Ints = to_array(table["label"])[good]
        self._pixels: _Array | _Packed
        if manifest["storage"] == "uint8":
            self._pixels = _Array(folder / f"{name}.npy", to_array(table["crc"]), manifest)
        else:
            places = to_array(table["offset"]), to_array(table["length"]), to_array(table["crc"])
            self._pixels = _Packed(folder / f"{name}.jpegs", *places, manifest)
        left_out = np.asarray(left_out, dtype=np.int64)
        self._rows, self.labels = np.delete(self._rows, left_out), np.delete(self.labels, left_out)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def paths(self) -> list[str]:
        """Where each image came from, relative to the root of its source."""
        return self.paths_of(np.arange(len(self)))

    def paths_of(self, indices: ArrayLike) -> list[str]:
        """Where the images `indices` came from, relative to the root of their source."""
        column = pq.ParquetFile(self._index).read(["path"])["path"]
        paths: list[str] = column.take(self._rows[np.asarray(indices, dtype=np.int64)]).to_pylist()
        return paths

    def subset(self, indices: ArrayLike, labels: ArrayLike) -> "Split":
        """Some of the images, in this order and any of them as often as named, with new labels."""
        part = copy.copy(self)
        part._rows = self._rows[np.asarray(indices, dtype=np.int64)]
        part.labels = np.asarray(labels, dtype=np.int64)
        return part

    def __getitem__(self, i: int) -> Pixels:
        """The whole i-th image, (S, S, 3)."""
        return np.array(self._pixels.image(int(self._rows[i])))

    def read(
        self,
        indices: ArrayLike,
        tops: ArrayLike | None = None,
        lefts: ArrayLike | None = None,
        crop: int | None = None,
    ) -> Pixels:
        """Crops of B images, (B, crop, crop, 3).

        Args:
            indices: (B,) image numbers.
            tops, lefts: (B,) first row and column of each crop; without them the crop is central.
            crop: side of the crops; without it, that of the whole image.

        Raises:
            ValueError: a crop that does not lie within its image.
        """
        rows = self._rows[np.asarray(indices, dtype=np.int64)]
        side = self.image_size if crop is None else crop
        places = self._places(tops, len(rows), side), self._places(lefts, len(rows), side)
        batch = np.empty((len(rows), side, side, 3), dtype=np.uint8)
        self._pixels.announce(rows.tolist(), places[0], side)
        for out, row, top, left in zip(batch, rows.tolist(), *places, strict=True):
            out[:] = self._pixels.image(row)[top : top + side, left : left + side]
        return batch

    def _places(self, places: ArrayLike | None, count: int, side: int) -> list[int]:
        room = self.image_size - side
        if places is None:
            places = np.full(count, room // 2)
        listed = np.asarray(places)
        if room < 0 or (count and not 0 <= listed.min() <= listed.max() <= room):
            raise ValueError(
                f"a crop of {side} at {listed.min()} to {listed.max()} does not lie within "
                f"{self.image_size} pixels"
            )
        integers: list[int] = listed.tolist()
        return integers


def to_array(column: pa.ChunkedArray) -> Ints:
    """A column of whole numbers without gaps. Its own `to_numpy` imports pandas, for nothing."""
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)


class _Array:
    """Rows of a memory-mapped array: nothing is read before it is used.

    An image is checked when this process first reads it.
    """

    def __init__(self, path: Path, sums: Ints, manifest: dict[str, Any]) -> None:
        self._path = _existing(path, manifest)
        self._manifest = manifest
        self._sums = sums
        self._unread = bytearray(b"\1") * len(sums)
        size = manifest["image_size"]
        _check_shape(path, self._mapped.shape, (len(sums), size, size, 3), manifest)

    def announce(self, rows: Sequence[int], tops: Sequence[int], side: int) -> None:
        """Has the system fetch what is about to be read of these rows, all of it at once.

        Left to itself it fetches as pixels are copied, an image after the other, and by guess six
        times the bytes. What has been read before is in memory, unless the array is too large.

        Args:
            rows, tops: of each crop its image and the first row of its pixels.
            side: of the crops.
        """
        if not hasattr(mmap, "MADV_WILLNEED"):  # Windows
            return
        size, line = self._mapped.shape[1], self._mapped.strides[1]
        for row, top in zip(rows, tops, strict=True):
            if not (self._unread[row] or self._outgrows_memory):
                continue
            lines = (0, size) if self._unread[row] else (top, top + side)  # all, for its checksum
            first, last = (self._file.offset + (row * size + at) * line for at in lines)
            first -= first % mmap.PAGESIZE
            self._file._mmap.madvise(mmap.MADV_WILLNEED, first, last - first)

    def image(self, row: int) -> Pixels:
        pixels: Pixels = self._mapped[row]
        if self._unread[row]:
            _check_sum(self._path, row, pixels.data, self._sums, self._manifest)
            self._unread[row] = 0
        return pixels

    @cached_property
    def _mapped(self) -> Pixels:
        # as a plain array: each slice of a memmap would be a memmap, at several microseconds
        return np.asarray(self._file)

    @cached_property
    def _file(self) -> Any:
        return _map(self._path, self._manifest)

    @cached_property
    def _outgrows_memory(self) -> bool:
        """Whether what was read once may be gone from memory: an array above half of it."""
        return self._path.stat().st_size > psutil.virtual_memory().total / 2

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in ("_file", "_mapped")}


class _Packed:
    """JPEGs in one file, decoded when they are asked for."""

    def __init__(
        self, path: Path, offsets: Ints, lengths: Ints, sums: Ints, manifest: dict[str, Any]
    ) -> None:
        self._path = _existing(path, manifest)
        self._manifest = manifest
        self._offsets, self._lengths, self._sums = offsets, lengths, sums
        if path.stat().st_size != lengths.sum():
            raise _unfit(path, f"has {path.stat().st_size} bytes, not {lengths.sum()}", manifest)

    def announce(self, rows: Sequence[int], _tops: Sequence[int], _side: int) -> None:
        """As of an array: whole files, whatever part of the image is wanted."""
        if hasattr(os, "posix_fadvise"):  # Linux
            for row in rows:
                os.posix_fadvise(
                    self._descriptor, int(self._offsets[row]), int(self._lengths[row]),
                    os.POSIX_FADV_WILLNEED,
                )  # fmt: skip

    def image(self, row: int) -> Pixels:
        packed = os.pread(self._descriptor, int(self._lengths[row]), int(self._offsets[row]))
        _check_sum(self._path, row, packed, self._sums, self._manifest)
        return np.asarray(Image.open(io.BytesIO(packed)))

    @cached_property
    def _descriptor(self) -> int:
        return os.open(self._path, os.O_RDONLY)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_descriptor"}

    def __del__(self) -> None:
        if "_descriptor" in vars(self):
            os.close(self._descriptor)


def _existing(path: Path, manifest: dict[str, Any]) -> Path:
    if not path.is_file():
        raise _unfit(path, "is not there", manifest)
    return path


def _map(path: Path, manifest: dict[str, Any]) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(_existing(path, manifest), mmap_mode="r")
    except StoreError:
        raise
    except Exception as error:  # a damaged header makes NumPy raise almost anything
        raise _unfit(path, f"is not a whole array ({error})", manifest) from error
    return mapped


def _check_shape(
    path: Path, shape: Sequence[int], expected: Sequence[int], manifest: dict[str, Any]
) -> None:
    if tuple(shape) != tuple(expected):
        raise _unfit(path, f"has shape {tuple(shape)}, not {tuple(expected)}", manifest)


def _check_sum(
    path: Path, row: int, stored: bytes | memoryview, sums: Ints, manifest: dict[str, Any]
) -> None:
    if zlib.crc32(stored) != sums[row]:
        raise _unfit(path, f"is damaged in row {row}", manifest)


def seal(manifest: Mapping[str, Any]) -> str:
    """A digest of all that a manifest says, to be kept in it as `seal`."""
    said = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _remedy(manifest: Mapping[str, Any]) -> str:
    again = "prepare again (`dvc repro -f prepare`)"
    return f"remove .checkpoints/{manifest.get('fingerprint')} and {again}"


def _unfit(path: Path, what: str, manifest: dict[str, Any]) -> StoreError:
    return StoreError(
        f"{path} {what}, and does not fit the manifest beside it: {_remedy(manifest)}"
    )
