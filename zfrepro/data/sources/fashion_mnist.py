"""Fashion-MNIST: 60,000 and 10,000 grey photographs of clothes, 28x28, in gzipped IDX files.

They come from torchvision's download or from Debian's package `dataset-fashion-mnist`.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np

from zfrepro.data.listing import LARGEST, ArrayListing, Listing, Pixels, Source, SourceError

NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PREFIXES = {"train": "train", "val": "t10k"}  # the test images serve for validation
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
REMEDY = (
    "set data.root=FOLDER or the environment variable ZFREPRO_FASHION_MNIST to the folder that "
    "holds its four IDX files, or let data.download=true fetch them, or install Debian's package "
    "dataset-fashion-mnist"
)


def read_fashion_mnist(root: str | Path | None, *, download: bool) -> Source:
    """Fashion-MNIST from `root`, from Debian's package, or downloaded into `root`, in this order.

    `root` may hold the four files itself or be the root that torchvision uses.

    Raises:
        SourceError: not there and not to be downloaded, not downloadable, or damaged.
    """
    folder = _folder(root)
    if folder is None and download and root is not None:
        _download(Path(root).expanduser())
        folder = _folder(root)
    if folder is None:
        raise SourceError(f"no Fashion-MNIST in data.root ({root}): {REMEDY}")
    splits = {split: _split(folder, split, prefix) for split, prefix in PREFIXES.items()}
    classes = tuple((str(label), name) for label, name in enumerate(NAMES))
    return Source("fashion_mnist", classes, splits)


def read_idx(path: Path) -> Pixels:
    """An IDX file of unsigned bytes, gzipped or not, as an array of the shape it states.

    Raises:
        SourceError: not such a file, or one that ends too early.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} is damaged ({error}): fetch it again") from error
    # two zero bytes, the type (8: unsigned byte), the number of dimensions, each as 4 bytes
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise SourceError(f"{path} is no IDX file of unsigned bytes: fetch it again")
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4).astype(int)
    body = content[4 + 4 * content[3] :]
    if len(body) != shape.prod():
        raise SourceError(
            f"{path} has {len(body)} values and states {shape.prod()}: fetch it again"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _split(folder: Path, split: str, prefix: str) -> Listing:
    images = read_idx(_file(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_file(folder, f"{prefix}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max() >= len(NAMES):
        raise SourceError(
            f"{folder}: images {images.shape} and labels {labels.shape} of {prefix} do not fit "
            "together: fetch them again"
        )
    paths = [f"{split}/{number:05d}" for number in range(len(images))]
    return ArrayListing(paths, labels.astype(np.int64), images)


def _folder(root: str | Path | None) -> Path | None:
    return next((folder for folder in _candidates(root) if _is_whole(folder)), None)


def _candidates(root: str | Path | None) -> Iterator[Path]:
    if root is not None:
        base = Path(root).expanduser()
        yield from (base, base / "raw", base / "FashionMNIST" / "raw")
    yield DEBIAN


def _is_whole(folder: Path) -> bool:
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    names = [f"{prefix}-{kind}" for prefix in PREFIXES.values() for kind in kinds]
    return all(_file(folder, name).is_file() for name in names)


def _file(folder: Path, name: str) -> Path:
    """Unpacked where torchvision has unpacked it, else gzipped."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _download(root: Path) -> None:
    from torchvision.datasets import FashionMNIST  # noqa: PLC0415  seconds that other readers save

    try:
        FashionMNIST(root, download=True)
    except (URLError, RuntimeError, OSError) as error:
        raise SourceError(f"cannot download Fashion-MNIST ({error}): {REMEDY}") from error
