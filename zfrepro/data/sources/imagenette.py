"""Imagenette, ten classes of ImageNet, as torchvision fetches and unpacks it."""

from pathlib import Path
from urllib.error import URLError

from zfrepro.data.listing import Source, SourceError
from zfrepro.data.sources.folder import read_tree
from zfrepro.data.sources.roots import existing_root

FOLDERS = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}
ARCHIVES = "https://s3.amazonaws.com/fast-ai-imageclas"
IMAGES = {"train": 9469, "val": 3925}
REMEDY = (
    "set data.root=FOLDER or the environment variable ZFREPRO_IMAGENETTE to the folder that holds "
    "imagenette2/, or let data.download=true fetch it"
)


def read_imagenette(root: str | Path | None, *, size: str, download: bool) -> Source:
    """Imagenette below `root`, in one of its sizes ("full", "320px", "160px").

    Raises:
        SourceError: not there and not to be downloaded, not downloadable, or not whole.
    """
    if size not in FOLDERS:
        raise SourceError(f"data.size is {size!r}; Imagenette comes in {', '.join(FOLDERS)}")
    if download and root is not None:
        Path(root).expanduser().mkdir(parents=True, exist_ok=True)
    base = existing_root(root, REMEDY)
    names = _names(base, size, download)
    source = read_tree(base / FOLDERS[size], name="imagenette", names=names)
    _check_whole(source, base / FOLDERS[size])
    return source


def _names(base: Path, size: str, download: bool) -> dict[str, str]:
    """Class names by WordNet id; fetches the images where that is asked for and needed."""
    from torchvision.datasets import Imagenette  # noqa: PLC0415  seconds that other readers save

    try:
        images = Imagenette(base, size=size, download=download)
    except (URLError, RuntimeError, OSError) as error:
        raise SourceError(
            f"no Imagenette ({size}) in {base} ({error}): {REMEDY}; by hand, unpack "
            f"{ARCHIVES}/{FOLDERS[size]}.tgz there"
        ) from error
    return {id_: ", ".join(words) for id_, words in zip(images.wnids, images.classes, strict=True)}


def _check_whole(source: Source, folder: Path) -> None:
    """A torchvision that was killed while unpacking takes the part for the whole."""
    for split, expected in IMAGES.items():
        images = len(source.splits[split])
        if images != expected:
            raise SourceError(
                f"{folder / split} has {images} images and Imagenette {expected}: "
                f"remove {folder} and fetch it again"
            )
