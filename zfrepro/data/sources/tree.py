"""Class folders on disk: one walk of them, and turning what is found into a listing."""

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfrepro.data.listing import FileListing, Ints, SourceError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".tif", ".tiff", ".webp", ".avif"}
)
# what operating systems and network storage leave among a user's own files, in lower case
LITTER = frozenset(
    {"@eadir", "@recycle", "@__thumb", "#recycle", "#snapshot", "$recycle.bin", "__macosx"}
    | {"lost+found", "system volume information", "network trash folder", "temporary items"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".7z", ".rar"})
WRAPPERS = 4  # folders around a set, at most

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """An image file: its class, its path from the root, size, place in an archive, last change."""

    id: str
    path: str
    size: int
    offset: int = 0
    changed: int = 0  # ns


class Walk:
    """A walk through the folders of one source, each of them once.

    `left_out` counts what is not an image, by its kind.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: Counter[str] = Counter()
        self._places: dict[tuple[int, int], str] = {}  # folders by device and inode
        self._prefix = len(os.path.join(root, ""))  # noqa: PTH118

    def classes(self, folder: Path) -> Iterator[Found]:
        """All images in the class folders of `folder`, at any depth.

        Hidden files, litter and files that are no images by their suffix are passed over.

        Raises:
            SourceError: a folder that cannot be read or was read before, a link to nothing, images
                without a class folder, or class folders within one of them once more.
        """
        self._enter(str(folder))
        loose = [entry.name for entry in self._useful(folder) if is_image(entry.name)]
        folders = class_folders(folder)
        loose = [name for name in loose if name not in {path.name for _, path in folders}]
        if loose and not folders:
            raise SourceError(
                f"{folder} holds {len(loose)} images (such as {loose[0]}) and no class folders: "
                f"move those of each class into a folder of its own, {folder.name}/<class>/"
            )
        if loose:
            self.left_out["in no class folder"] += len(loose)
        _refuse_copies(folder, folders)
        if len(folders) > len(spellings := dict(folders)):
            twice = [path.name for _, path in folders if path not in spellings.values()]
            log.warning("%s: %s and its other spelling are read as one class", folder, some(twice))
        for id_, class_folder in folders:
            yield from self.images(class_folder, id_)

    def images(self, folder: Path, id_: str) -> Iterator[Found]:
        """The images of one class."""
        waiting = [str(folder)]
        while waiting:
            place = waiting.pop()
            self._enter(place)
            for entry in self._useful(place):
                if entry.is_dir():
                    waiting.append(entry.path)
                elif is_image(entry.name):
                    yield self._found(entry, id_)
                else:
                    _refuse_link_to_nothing(entry)
                    self.left_out[_suffix(entry.name) or "without suffix"] += 1

    def _useful(self, folder: str | Path) -> Iterator[os.DirEntry[str]]:
        for entry in listed(folder):
            if not is_litter(entry.name):
                yield entry
            else:
                self.left_out["hidden" if entry.name.startswith(".") else entry.name] += 1

    def _enter(self, folder: str) -> None:
        """Notes a folder; one with images of two classes, or of both splits, is none."""
        try:
            status = os.stat(folder)  # noqa: PTH116  a thousand Paths less
        except OSError as error:
            raise _unreadable(folder, error) from error
        first = self._places.setdefault((status.st_dev, status.st_ino), folder)
        if first != folder:
            raise SourceError(f"{folder} leads to {first}, which is read already: remove the link")

    def _found(self, entry: os.DirEntry[str], id_: str) -> Found:
        path = entry.path[self._prefix :]
        try:
            status = entry.stat()
        except OSError:  # a link to nothing: an image without pixels, which preparation lists
            return Found(id_, path, 0)
        return Found(id_, path, status.st_size, 0, status.st_ctime_ns)


def listed(folder: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error


def is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def is_image(name: str) -> bool:
    return _suffix(name) in SUFFIXES


def class_folders(folder: Path) -> list[tuple[str, Path]]:
    """The visible folders in `folder`, each with its class id.

    An id is the name in Unicode's composed form: file systems differ in how they spell "é". Two
    folders that differ in that alone are one class.

    Raises:
        SourceError: `folder` cannot be read, or a link in it leads to nothing.
    """
    found = []
    for entry in listed(folder):
        if is_litter(entry.name):
            continue
        if entry.is_dir():
            found.append((unicodedata.normalize("NFC", entry.name), Path(entry.path)))
        else:
            _refuse_link_to_nothing(entry)
    return found


def unwrapped(folder: Path) -> Path:
    """`folder`, or the one with class folders that is all it holds: unzipping doubles names."""
    for _ in range(WRAPPERS):
        inner = [path for _, path in class_folders(folder)]
        if len(inner) != 1 or not class_folders(inner[0]) or _has_images(folder):
            break
        folder = inner[0]
    return folder


def arrange(found: Iterable[Found], ids: Sequence[str], where: Path) -> tuple[list[Found], Ints]:
    """`found` by class and path, with their labels (n,): places in `ids`.

    Raises:
        SourceError: nothing found, one class alone, or images of a class that `ids` has not.
    """
    labels: Mapping[str, int] = {id_: label for label, id_ in enumerate(ids)}
    images = list(found)
    if not images:
        raise SourceError(f"{where} holds no images in class folders{_packed(where)}")
    if len(ids) == 1:
        raise SourceError(
            f"{where} holds images of one class alone, {ids[0]} (such as {images[0].path}): what "
            "is wanted is a folder of images for each of two classes or more"
        )
    if strangers := sorted({image.id for image in images} - set(labels)):
        raise SourceError(
            f"{where} has images of classes that have no training images: {some(strangers)}"
        )
    images.sort(key=lambda image: (labels[image.id], image.path))
    return images, np.array([labels[image.id] for image in images], dtype=np.int64)


def file_listing(
    found: Iterable[Found], ids: Sequence[str], root: Path, where: Path
) -> FileListing:
    return listing_of(*arrange(found, ids, where), root)


def listing_of(images: Sequence[Found], labels: Ints, root: Path) -> FileListing:
    sizes = np.array([image.size for image in images], dtype=np.int64)
    changed = np.array([image.changed for image in images], dtype=np.int64)
    return FileListing([image.path for image in images], labels, root, sizes, changed)


def warn_of_empty(ids: Iterable[str], found: Iterable[Found], where: Path) -> None:
    if empty := sorted(set(ids) - {image.id for image in found}):
        log.warning("%s: no images of %s", where, some(empty))


def some(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _unreadable(folder: str | Path, error: OSError) -> SourceError:
    return SourceError(f"{folder} cannot be read ({error.strerror}): mend its rights, or remove it")


def _packed(where: Path) -> str:
    names = [entry.name for entry in listed(where)] if where.is_dir() else []
    packed = [name for name in names if _suffix(name) in ARCHIVES]
    return f", but archives, not unpacked: {some(packed, 3)}" if packed else ""


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  a million Paths are slow


def _has_images(folder: Path) -> bool:
    return any(is_image(entry.name) and not entry.is_dir() for entry in listed(folder))


def _refuse_link_to_nothing(entry: os.DirEntry[str]) -> None:
    """Unless it is an image by its suffix, which preparation lists among the bad ones."""
    if entry.is_symlink() and not is_image(entry.name) and not os.path.exists(entry.path):  # noqa: PTH110
        raise SourceError(f"{entry.path} is a link that leads nowhere: mend it, or remove it")


def _refuse_copies(folder: Path, folders: Sequence[tuple[str, Path]]) -> None:
    """A "class" of folders that are named as the classes beside it is the set once more."""
    ids = {id_ for id_, _ in folders}
    for id_, class_folder in folders:
        inner = {name for name, _ in class_folders(class_folder)}
        if len(inner) > 1 and inner <= ids - {id_}:
            raise SourceError(
                f"{class_folder} holds folders named as those beside it, {some(sorted(inner))}: "
                "is it the set once more? Remove one of the two"
            )
