"""Where the images lie inside tar archives, so that none has to be unpacked.

Only names, offsets and sizes are taken from an archive: nothing is written.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast

from tqdm import tqdm

from zfrepro.data.listing import SourceError
from zfrepro.data.sources.members import tar_path
from zfrepro.data.sources.tree import is_image


class Member(NamedTuple):
    """A file in an archive: `size` bytes from byte `offset`.

    `group` names the inner archive or, without one, the folder that the file lies in.
    """

    group: str
    name: str
    offset: int
    size: int


def images(archive: Path) -> list[Member]:
    """The images in `archive`, and in the tars in it (ImageNet has one a class).

    Raises:
        SourceError: no tar, a compressed one, one that ends too early, or one with links.
    """
    with archive.open("rb") as file:
        try:
            return list(_images(file, archive))
        except tarfile.TarError as error:
            raise SourceError(
                f"{archive} is not a whole, uncompressed tar ({error}): compare its md5 sum with "
                "the published one and download it again"
            ) from error


def _images(file: BinaryIO, archive: Path) -> Iterator[Member]:
    members = _files(file, archive)
    bar = tqdm(members, f"indexing {archive.name}", unit="member", leave=False, disable=None)
    for member in bar:
        if member.name.endswith(".tar"):
            group = PurePosixPath(member.name).stem
            window = cast("BinaryIO", _Window(file, member.offset, member.size))
            for inner in _files(window, archive):
                if is_image(inner.name):
                    yield inner._replace(group=group, offset=member.offset + inner.offset)
        elif is_image(member.name):
            yield member


def _files(file: BinaryIO, archive: Path) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for entry in tar:
            if path := tar_path(entry, archive):
                yield Member(path.parent.name, path.name, entry.offset_data, entry.size)
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep a record of each of a million entries


class _Window(io.RawIOBase):
    """`size` bytes of a file from byte `start`, as a file of their own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._descriptor, self._start, self._size, self._at = file.fileno(), start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._at, 0)
        count = left if size is None or size < 0 else min(size, left)
        content = os.pread(self._descriptor, count, self._start + self._at)
        self._at += len(content)
        return content
