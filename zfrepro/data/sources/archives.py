"""Image trees that come as an archive: fetched, checked and unpacked, whole or not at all."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import URLError

from tqdm import tqdm

from zfrepro import files
from zfrepro.data.listing import SourceError
from zfrepro.data.sources.members import tar_path, zip_path
from zfrepro.data.sources.roots import existing_root

BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A data set as its authors publish it.

    Attributes:
        name: of the set, in conf/data/ and in the environment.
        folder: the image tree, relative to the root that it is unpacked into.
        elsewhere: other places below a root where people keep that tree.
        archives: files that hold it, relative to the root; the first is what `url` gives.
        page: where its authors offer it.
    """

    name: str
    folder: str
    elsewhere: Sequence[str]
    archives: Sequence[str]
    url: str
    md5: str
    page: str

    @property
    def key(self) -> str:
        return f"sets.{self.name}.root"

    @property
    def remedy(self) -> str:
        return (
            f"set {self.key} or the environment variable ZFREPRO_{self.name.upper()} to a folder "
            f"that holds {self.archives[0]} (from {self.page}) or {self.folder}/ unpacked from it, "
            f"or let sets.{self.name}.download=true fetch it"
        )


def tree_of(published: Published, root: str | Path | None, *, download: bool) -> Path:
    """The image tree below `root`; unpacked, and before that fetched, where it has to be.

    Raises:
        SourceError: no root, nothing there, no connection, or a damaged archive.
    """
    if download and root is not None:
        Path(root).expanduser().mkdir(parents=True, exist_ok=True)
    base = existing_root(root, published.remedy, published.key)
    for place in (published.folder, *published.elsewhere):
        if (tree := base / place).is_dir():  # or in one of the same name, as unzipping doubles it
            return tree / tree.name if (tree / tree.name).is_dir() else tree
    if base.name == Path(published.folder).name:  # the root is the tree itself
        return base
    if download:
        _fetch(published, base)
    for name in published.archives:
        if (base / name).is_file():
            return unpack(base / name, base / published.folder)
    looked = ", ".join((published.folder, *published.archives))
    raise SourceError(f"{base} holds none of {looked}: {published.remedy}")


def unpack(archive: Path, folder: Path) -> Path:
    """`folder`, as `archive` (or an archive in it) holds it under that name.

    What was cut off by a kill is begun anew.

    Raises:
        SourceError: a damaged or hostile archive, or one without such a folder.
        LockedError: another process is unpacking it.
    """
    work = folder.parent / f".{folder.name}.unpacking"
    with files.exclusive(work, f"unpacking of {archive.name}"):
        if not folder.is_dir():
            tree = work / "tree"
            shutil.rmtree(tree, ignore_errors=True)
            try:
                _extract(archive, tree)
            except SourceError:
                shutil.rmtree(tree, ignore_errors=True)  # it may have filled the disk
                raise
            found = next((path for path in tree.rglob(folder.name) if path.is_dir()), None)
            if found is None:
                raise SourceError(f"{archive} holds no folder {folder.name}: fetch it again")
            found.rename(folder)
    shutil.rmtree(work)
    return folder


def _fetch(published: Published, base: Path) -> None:
    """An archive that is there is kept where its md5 sum is right."""
    from torchvision.datasets.utils import download_url  # noqa: PLC0415  seconds

    try:
        download_url(published.url, base, published.archives[0], published.md5)
    except (URLError, RuntimeError, OSError) as error:
        raise SourceError(f"cannot fetch {published.url} ({error}): {published.remedy}") from error


def _extract(archive: Path, tree: Path) -> None:
    """What kind of archive it is, its content tells."""
    try:
        if _begins_as_zip(archive):
            _unzip(archive, tree)
        else:
            _untar(archive, tree)
    except SourceError:
        raise
    except BROKEN as error:
        raise SourceError(
            f"{archive} is damaged or not whole ({error}): remove it and fetch it again"
        ) from error
    except OSError as error:  # a full disk; two members of one name, one of them a folder
        raise SourceError(f"{archive} cannot be unpacked to {tree} ({error})") from error


def _unzip(archive: Path, tree: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            if path := zip_path(member, archive):
                with packed.open(member) as content:
                    _write(content, tree / path)
    for inner in sorted(tree.rglob("*.tar.gz")):
        _extract(inner, inner.parent)


def _untar(archive: Path, tree: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tqdm(tar, desc=f"unpacking {archive.name}", unit="file", disable=None):
            path = tar_path(member, archive)
            content = path and tar.extractfile(member)
            if path and content:
                _write(content, tree / path)
        _check_end(tar)


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)


def _begins_as_zip(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(4) == b"PK\3\4"


def _check_end(tar: tarfile.TarFile) -> None:
    """Raises ReadError where no end is marked: tarfile takes a cut at a header for the end."""
    file = tar.fileobj
    assert file is not None  # noqa: S101  it is open
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")
