"""What a reader finds: a source's classes, and the image files of each split, in columns."""

import csv
import errno
import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Presence = NDArray[np.int8]  # (images, classes): 1 present, 0 as a difficult object, -1 absent

LARGEST = 1 << 29  # bytes of an image's file


class SourceError(OSError):
    """Images that are not there, or not in the expected layout; says what to do."""


@dataclass(frozen=True)
class Listing(ABC):
    """The images of one split, without their pixels: columns of equal length.

    `paths` are relative to the source's root, `labels` index into its classes.
    """

    paths: Sequence[str]
    labels: Ints

    def __len__(self) -> int:
        return len(self.paths)

    @abstractmethod
    def read(self, i: int) -> bytes | Pixels:
        """The i-th file's content; pixels (H, W) or (H, W, 3) where the source holds no files.

        Raises:
            OSError: the file cannot be read.
        """

    @abstractmethod
    def part(self, start: int, stop: int) -> Self:
        """Images [start, stop), as small to pickle as they are few."""

    @abstractmethod
    def identity(self) -> str:
        """Digest of what a look at the listing tells: another set has another one."""

    def stamp(self) -> str:
        """Digest of when the files were last changed; empty where `identity` sees the contents."""
        return ""


@dataclass(frozen=True)
class FileListing(Listing):
    """Image files below `root`; `sizes` in bytes, `changed` in ns.

    The latter are the times of the inodes, which no copying tool sets back.
    """

    root: Path
    sizes: Ints
    changed: Ints

    def read(self, i: int) -> bytes:
        return read_file(self.root / self.paths[i])

    def part(self, start: int, stop: int) -> Self:
        cut = slice(start, stop)
        return type(self)(
            self.paths[cut], self.labels[cut], self.root, self.sizes[cut], self.changed[cut]
        )

    def identity(self) -> str:
        return _digest(self.paths, self.labels, self.sizes)

    def stamp(self) -> str:
        return _digest([], self.changed)


@dataclass(frozen=True)
class TarListing(Listing):
    """Images inside an uncompressed tar: `offsets` of their first bytes, `sizes` in bytes."""

    archive: Path
    offsets: Ints
    sizes: Ints

    def read(self, i: int) -> bytes:
        _check_size(int(self.sizes[i]), self.archive / self.paths[i])
        return os.pread(_descriptor(self.archive), int(self.sizes[i]), int(self.offsets[i]))

    def part(self, start: int, stop: int) -> Self:
        cut = slice(start, stop)
        return type(self)(
            self.paths[cut], self.labels[cut], self.archive, self.offsets[cut], self.sizes[cut]
        )

    def identity(self) -> str:
        return _digest(self.paths, self.labels, self.sizes)

    def stamp(self) -> str:
        return f"{self.archive.stat().st_ctime_ns}"


@dataclass(frozen=True)
class ArrayListing(Listing):
    """Images that come as one array (N, H, W) or (N, H, W, 3)."""

    images: Pixels

    def read(self, i: int) -> Pixels:
        pixels: Pixels = self.images[i]
        return pixels

    def part(self, start: int, stop: int) -> Self:
        cut = slice(start, stop)
        return type(self)(self.paths[cut], self.labels[cut], self.images[cut])

    def identity(self) -> str:
        return _digest(self.paths, self.labels, self.images)


@dataclass(frozen=True)
class Source:
    """Labelled images to prepare.

    `classes` are (id, name) in the order of the labels. The mean image is taken over the first of
    `splits`, which are "train" and "val", or "all" where a protocol draws its own.
    `objects`, where an image may show several classes, is for each split an int8 array (images,
    classes): 1 where a class is present, 0 where only as a difficult object, -1 where it is absent.
    `annotations` is ground truth, where the source has some: a folder with tables, or a table by
    split.
    `left_out` counts what lies among the images and is none, by its kind.
    """

    name: str
    classes: tuple[tuple[str, str], ...]
    splits: Mapping[str, Listing]
    annotations: Path | Mapping[str, pa.Table] | None = None
    objects: Mapping[str, Presence] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_split(self) -> str:
        return next(iter(self.splits))

    def identity(self) -> str:
        """Digest of classes, paths, labels and file sizes; no file is opened for it.

        It is the same for a copy of the set, and for a file that was replaced by another of the
        same name and size: that one `stamp` tells.
        """
        parts = [f"{split} {files.identity()}" for split, files in sorted(self.splits.items())]
        parts += [_digest([name], shown) for name, shown in sorted((self.objects or {}).items())]
        return hashlib.sha256("\n".join([repr(self.classes), *parts]).encode()).hexdigest()

    def stamp(self) -> str:
        """Another one where a file may have been changed since; a copy of the set has another."""
        return " ".join(files.stamp() for _, files in sorted(self.splits.items()))


def read_file(path: Path) -> bytes:
    """The content of an image's file.

    Raises:
        OSError: it cannot be read, is larger than `LARGEST`, or is a pipe or a device, which would
            never end.
    """
    # a pipe without a writer would keep us waiting already as it is opened
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        _check_size(status.st_size, path)
        return file.read()


def read_text(path: Path) -> str:
    """A text file, with whatever mark of its byte order editors have put at its beginning.

    Raises:
        SourceError: it is not there, or no text.
    """
    try:
        content = path.read_bytes()
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is no text in UTF-8 ({error})") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def read_csv(path: Path) -> tuple[Sequence[str], list[tuple[int, dict[str, str | None]]]]:
    """The columns of a CSV, and each row with its line.

    Raises:
        SourceError: as of `read_text`, or no CSV.
    """
    reader = csv.DictReader(read_text(path).splitlines())
    try:
        return reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num}: no CSV ({error})") from error


def _check_size(size: int, path: Path) -> None:
    if size > LARGEST:
        raise OSError(errno.EFBIG, f"{size:,} bytes, of {LARGEST:,} at most", str(path))


@cache
def _descriptor(archive: Path) -> int:
    """An open archive stays open: a process reads thousands of images from it."""
    return os.open(archive, os.O_RDONLY)


def _digest(paths: Sequence[str], *columns: NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(os.fsencode(path) + b"\0")
    for column in columns:
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()
