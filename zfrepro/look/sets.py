"""The images of the page: photographs that come with it, uploads, a folder, prepared sets."""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from zfrepro import config, files, networks
from zfrepro.data.decode import decode
from zfrepro.data.store import PreparedSet, Split
from zfrepro.library import Ints, Network, Pixels

PHOTOGRAPHS = Path(__file__).with_name("photographs")
UPLOADS = 100  # the oldest go
LARGEST = 32 << 20  # bytes of an upload
MOST = 2000  # images of a folder or a set that are looked through
SIDE = 1024  # pixels of an upload's shorter side that are kept


class Uploads:
    """Pictures that a browser has sent: the newest `UPLOADS`, under the digest of their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, content: bytes, name: str) -> str:
        """Keeps a picture; returns its number.

        Raises:
            ValueError: it is none, or too large.
        """
        number = hashlib.sha256(content).hexdigest()[:16]
        image = decode(content).image
        if min(image.size) > SIDE:
            image = image.reduce(min(image.size) // SIDE)
        with files.atomic_path(self.folder / f"{number}.png") as path:
            image.save(path, "PNG", compress_level=1)
        files.write_json(self.folder / f"{number}.json", {"title": Path(name).name[:80]})
        for old in self._newest()[UPLOADS:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".json").unlink(missing_ok=True)
        return number

    def path(self, number: str) -> Path:
        return self.folder / f"{number}.png"

    def titles(self) -> dict[str, str]:
        """By number, the newest first."""
        found = {}
        for path in self._newest():
            try:
                found[path.stem] = str(json.loads(path.with_suffix(".json").read_text())["title"])
            except (OSError, ValueError, KeyError):
                found[path.stem] = path.stem
        return found

    def _newest(self) -> list[Path]:
        found = self.folder.glob("*.png")
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def photographs() -> dict[str, Path]:
    """The pictures that come with the page, by name."""
    return {path.stem: path for path in sorted(PHOTOGRAPHS.glob("*.jpg"))}


def credits() -> dict[str, str]:
    """By file name, who made a photograph, and its licence."""
    lines = (PHOTOGRAPHS / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: f"{row[1]}; {row[2]}" for row in cells if row[0].endswith(".jpg")}


def prepared(network: Network) -> PreparedSet | None:
    """The images that a network was trained on, if they stand on this machine."""
    if network.run is None:
        return None
    folder = networks.images_known(network.run)
    return PreparedSet.open(folder) if folder else None


def rendered(network: Network) -> PreparedSet | None:
    """The validation images of a network that was trained on rendered ones; made where missing.

    With the fewest training images: those decide nothing of the others.
    """
    recipe = network.run and network.run / "config.yaml"
    if not recipe or not recipe.is_file():
        return None
    cfg = config.load(recipe)
    if cfg["data"]["name"] != "miniature":
        return None
    from zfrepro import images  # noqa: PLC0415  with what prepares images

    data = {**cfg["data"], "train_images": cfg["data"]["classes"]}
    return images.made({**cfg, "data": data, "exclude_overlap": False}, {}, {})


class Validation:
    """The images of a set that the page shows: at most `MOST`, spread over the classes."""

    def __init__(self, source: PreparedSet) -> None:
        from zfrepro.data.sample import stratified_sample  # noqa: PLC0415

        self.source = source
        splits = source.manifest["splits"]
        name = "val" if "val" in splits else next(iter(splits))
        self.digest: str = splits[name]["digest"]
        split = source.split(name)
        self.numbers: Ints = np.sort(stratified_sample(split.labels, MOST, seed=0))
        self.split: Split = split.subset(self.numbers, split.labels[self.numbers])

    def __len__(self) -> int:
        return len(self.split)

    def read(self, indices: Ints, *, crop: int) -> Pixels:
        """As `library.Images.read`."""
        return self.split.read(indices, crop=crop)

    def image(self, number: int) -> Image.Image:
        """One of them, whole, as it was prepared."""
        return Image.fromarray(self.split[number])
