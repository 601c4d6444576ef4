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
    def of(cls, folder: Path, image_size: int, resize_filter: str) -> Self:
        """All pictures in a folder and those below it.

        Raises:
            SourceError: there are none.
        """
        paths = list(pictures_in(folder))
        if not paths:
            raise SourceError(f"{folder} holds no pictures, nor do the folders in it")
        return cls(paths, image_size, resize_filter)

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


def pictures_in(folder: Path) -> Iterator[Path]:
    """Files that look like pictures, by name, in a folder and those below it."""
    for path in sorted(folder.rglob("*")):
        if tree.is_image(path.name) and not tree.is_litter(path.name) and path.is_file():
            yield path
