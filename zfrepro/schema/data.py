"""Keys of the images: what all sources have in common, and what each takes beside it."""

from dataclasses import dataclass
from typing import Any

from zfrepro.keys import flag, key, section

MANY: dict[str, Any] = {"least": 1, "most": 10**8}
WORLD: dict[str, Any] = {"least": 0, "most": 2**32 - 1}


@dataclass
class Images:
    name: str = key("of the source", option_of="data")
    root: str | None = key(
        "folder of the source's files; $ZFREPRO_NAME comes first where it is set", file=True
    )
    image_size: int = key(
        "shorter side and width of the prepared images; the paper: 256", least=16, most=4096
    )
    filter: str = key(
        "of the reduction to image_size, antialiased", "bilinear",
        one_of=("bilinear", "bicubic", "lanczos"),
    )  # fmt: skip
    storage: str = key(
        "uint8: one memory-mapped array a split; jpeg: one packed file, a sixth of the space",
        "uint8", one_of=("uint8", "jpeg"),
    )  # fmt: skip
    jpeg_quality: int = key("of storage jpeg", 90, least=1, most=100)
    max_bad_share: float = key(
        "files without pixels that are skipped; above it the stage fails", 0.001, least=0, below=1
    )


@dataclass
class Downloaded(Images):
    download: Any = flag("where it is not there yet", True)


@dataclass
class Imagenette(Downloaded):
    size: str = key("shorter side of the source images", "full", one_of=("full", "320px", "160px"))


@dataclass
class Folder(Images):
    val_share: float = key(
        "of each class, where the tree has no validation folder", 0.1, above=0, below=1
    )
    split_seed: int = key("of that draw", 0, **WORLD)


@dataclass
class Miniature(Images):
    seed: int = key("of the world; another one draws other images of the same classes", 0, **WORLD)
    classes: int = key("the first so many of the table of classes", 20, least=2, most=1000)
    train_images: int = key("in all, spread evenly over the classes", **MANY)
    val_images: int = key("the same", **MANY)


@dataclass
class World:
    """The source that the planted images are of."""

    seed: int = key("of that world", **WORLD)
    classes: int = key("of that world", least=2, most=1000)
    train_images: int = key("of that world", **MANY)


@dataclass
class Twin(Images):
    seed: int = key("of the world; another one draws other images of the same classes", 0, **WORLD)
    planted: int = key("near-duplicates of training images of the source", least=0, most=10**8)
    world: World = section("the source that they are of", World)


@dataclass
class CaltechTwin(Twin):
    classes: int = key("the first so many of the table of classes", least=2, most=1000)
    images: int = key("of each class; the background's number too", **MANY)


@dataclass
class VocTwin(Twin):
    train_images: int = key("in all", **MANY)
    val_images: int = key("the same", **MANY)
