"""Pictures of a folder as a network's images, read when they are asked for; nothing is prepared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from zfrepro.data import picture
from zfrepro.data.decode import Pixels
from zfrepro.data.listing import Ints, SourceError
from zfrepro.data.sources import tree


@dataclass(frozen=True)
class Folder:
    """The pictures `paths`, as a network of these settings reads them."""

    paths: Sequence[Path]
    image_size: int
    resize_filter: str

    @classmethod
    def of(cls, folder: Path, image_size: int, resize_filter: str) -> "Folder":
        """All pictures in a folder and those below it.

        Raises:
            SourceError: there are none.
        """
        paths = list(pictures_in(folder))
        if not paths:
            raise SourceError(f"{folder} holds no pictures, nor do the folders in it")
        return Folder(paths, image_size, resize_filter)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: Ints, *, crop: int | None = None) -> Pixels:
        """Central crops, uint8 (B, crop, crop, 3); without `crop` whole, (B, S, S, 3).

        Raises:
            OSError, ValueError: a file that cannot be read, or is no picture; names it.
        """
        pictures = (picture.load(self.paths[i]) for i in indices)
        whole = [picture.fitted(each, self.image_size, self.resize_filter) for each in pictures]
        return picture.centre(np.stack(whole), crop or self.image_size)


@dataclass(frozen=True)
class Labelled(Folder):
    """The pictures in a folder for each class, as `data.store.Split` has prepared ones.

    Args:
        root: the folder that holds those of the classes.
        classes: names of the folders, in order.
        labels: (N,) places in `classes`.
    """

    root: Path
    classes: Sequence[str]
    labels: Ints

    @classmethod
    def of(cls, folder: Path, image_size: int, resize_filter: str) -> Self:
        """All images in the class folders of `folder`, at any depth.

        Raises:
            SourceError: no such folder, or no images of two classes in it; says what it holds.
        """
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a folder: name one with a folder for each class")
        found = list(tree.Walk(folder).classes(folder))
        classes = sorted({each.id for each in found})
        images, labels = tree.arrange(found, classes, folder)
        paths = [folder / each.path for each in images]
        return cls(paths, image_size, resize_filter, folder, classes, labels)

    def paths_of(self, indices: Ints) -> list[str]:
        """Below `root`."""
        return [str(self.paths[i].relative_to(self.root)) for i in indices]


def pictures_in(folder: Path) -> Iterator[Path]:
    """Files that look like pictures, by name, in a folder and those below it."""
    for path in sorted(folder.rglob("*")):
        if tree.is_image(path.name) and not tree.is_litter(path.name) and path.is_file():
            yield path
