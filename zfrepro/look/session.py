"""What the page looks at: networks and images by their addresses, and what has been worked out.

What takes long is made in the background, one thing after the other, and kept: a question that
comes too early is answered with how far it is.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from zfrepro import config, files, library, networks
from zfrepro.data import picture
from zfrepro.data.pictures import Folder, pictures_in
from zfrepro.elements.occlusion.measure import Occluded
from zfrepro.files import reason
from zfrepro.library import Images, Network, Picture, View
from zfrepro.look import sets
from zfrepro.look.sets import Uploads, Validation
from zfrepro.training import archive

KEPT = 4  # networks in memory; and four times as many images seen by each
BEFORE_END = 300  # images of a set that each snapshot of a training is run on
FOLDER = "folder"  # what stands for the digest of a folder's pictures

log = logging.getLogger(__name__)


@dataclass
class Work:
    """Something that is made in the background: `done` of `total`, and why it has failed."""

    what: str
    done: int = 0
    total: int = 0
    finished: bool = False
    failure: str = ""
    value: object = None

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    @property
    def state(self) -> str:
        if self.failure:
            return "failed"
        return "done" if self.finished else "running"

    @property
    def message(self) -> str:
        """What is being made, or why it was not."""
        part = f", {self.done} of {self.total}" if self.total else ""
        return self.failure or ("" if self.finished else f"{self.what}{part}")


@dataclass(frozen=True)
class Moment:
    """A map after some epoch: the image that excites it most, and where."""

    epoch: int
    image: int
    value: float
    projection: library.Projection | None


class Looked:
    """One network: its set of images, and the peaks of its maps over them."""

    def __init__(self, session: "Session", network: Network) -> None:
        self.session = session
        self.network = network
        self._views: dict[str, View] = {}
        self._controls: dict[tuple[int, str], Looked] = {}

    @cached_property
    def digest(self) -> str:
        """Of its weights."""
        if self.network.weights is None:
            state = self.network.trained.net.state_dict().values()
            parts = (tensor.numpy().tobytes() for tensor in state)
            return hashlib.sha256(b"".join(parts)).hexdigest()[:16]
        with self.network.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def images(self) -> "Validation | Folder | None":
        """Its set, if it is there.

        Raises:
            StillMaking: it is being rendered.
        """
        if self.session.folder:
            trained = self.network.trained
            return Folder(self.session.folder, trained.image_size, trained.resize_filter)
        work = self.session.work(
            ("set", self.digest), "the network's images", partial(_validation, self.network)
        )
        return work.value  # type: ignore[return-value]

    @property
    def images_digest(self) -> str:
        """What tells its set from others."""
        images = self.images()
        return images.digest if isinstance(images, Validation) else FOLDER

    def peaks(self) -> dict[str, Picture]:
        """Of each layer the peak of every map in every image of the set.

        Raises:
            ValueError: the network has no set of images.
            StillMaking: they are being worked out.
        """
        images = self.images()
        if images is None:
            raise ValueError(
                f"the images that {self.network.name} was trained on are not on this machine: "
                "`python -m zfrepro.look NETWORK --images FOLDER` takes those of a folder"
            )
        name = self.images_digest
        found = self.session.work(
            ("peaks", self.digest, name), f"{self.network.name} sees its {len(images)} images",
            lambda work: self.worked_out(images, name, work),
        )  # fmt: skip
        return found.value  # type: ignore[return-value]

    def worked_out(self, images: Images, name: str, work: Work) -> dict[str, Picture]:
        """As `peaks`, of the images that `name` tells from others; kept, but those of a folder."""
        path = self.session.cache / f"peaks-{self.digest}-{name[:16]}.npz"
        if name != FOLDER and path.is_file():
            with suppress(OSError, ValueError, EOFError, BadZipFile), np.load(path) as kept:
                return {layer: kept[layer] for layer in kept.files}
            log.warning("%s is damaged: it is made anew", path)
        found = library.peaks(
            self.network, images, list(self.network.layers),
            progress=lambda done: work.progress(done, len(images)),
        )  # fmt: skip
        if name != FOLDER:
            with files.atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **found)  # type: ignore[arg-type]
        return found

    def moments(self, layer: str, number: int) -> list[Moment]:
        """A map through the kept epochs of its training (figure 4).

        Raises:
            ValueError: no epochs were kept.
            StillMaking: as `peaks`.
        """
        if not self.snapshots:
            raise ValueError(
                f"the training of {self.network.name} has kept no epochs: "
                "`training.snapshots=[1,4,16]` keeps them"
            )
        images = self.images()
        if images is None:
            raise ValueError(f"the images that {self.network.name} was trained on are not here")
        made = self.session.work(
            ("epochs", self.digest), f"{self.network.name} at {len(self.snapshots)} epochs",
            lambda work: self._epochs(images, work),
        ).value  # fmt: skip
        found = []
        for epoch, (network, peaks) in made.items():  # type: ignore[attr-defined]
            best = int(peaks[layer][:, number].argmax())
            value = float(peaks[layer][best, number])
            shown = None
            if value > 0:
                known = peaks[layer][:, : number + 1]
                shown = library.top_images(
                    network, images, layer, number, count=1, known=known
                )[0]  # fmt: skip
            found.append(Moment(epoch, best, value, shown))
        return found

    def _epochs(self, images: Images, work: Work) -> dict[int, tuple[Network, dict[str, Picture]]]:
        found = {}
        some = _First(images, BEFORE_END)
        for place, (epoch, path) in enumerate(self.snapshots.items()):
            net = library.copy_of(self.network, archive.read(path))
            found[epoch] = (
                net,
                library.peaks(net, some, list(net.layers), progress=lambda done: None),
            )
            work.progress(place + 1, len(self.snapshots))
        return found

    @cached_property
    def snapshots(self) -> dict[int, Path]:
        """Weights by epoch, as the training has kept them."""
        if self.network.run is None:
            return {}
        kept = sorted(self.network.run.glob("snapshots/epoch-*.pt"))
        return {int(path.stem.removeprefix("epoch-")): path for path in kept}

    def control(self, seed: int, layer: str) -> "Looked":
        """The same with the weights up to a layer shuffled; the last ones are kept."""
        key = seed, layer
        if key not in self._controls:
            if len(self._controls) >= 4 * KEPT:
                del self._controls[next(iter(self._controls))]
            network = library.with_shuffled_weights(self.network, seed, layer)
            self._controls[key] = Looked(self.session, network)
        return self._controls[key]

    def view(self, image: str) -> View:
        """What the network makes of the image with this address."""
        if image not in self._views:
            self._keep(image, library.see(self.network, self.session.image(image, self)))
        return self._views[image]

    def seen(self, image: str, as_prepared: View) -> View:
        """The same of an image that another network of the same input has seen."""
        if image not in self._views:
            self._keep(image, View(self.network, as_prepared.prepared))
        return self._views[image]

    def _keep(self, image: str, view: View) -> None:
        if len(self._views) >= 4 * KEPT:
            del self._views[next(iter(self._views))]
        self._views[image] = view


class _First:
    """The first images of a set; a sample that is spread over the classes keeps that."""

    def __init__(self, images: Images, count: int) -> None:
        self._images = images
        self._numbers = np.linspace(0, len(images) - 1, min(count, len(images))).astype(np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def read(self, indices: library.Ints, *, crop: int) -> library.Pixels:
        return self._images.read(self._numbers[indices], crop=crop)


class StillMaking(Exception):  # noqa: N818  no error: an answer that comes later
    """What was asked for is being made."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.message)
        self.work = work


class Session:
    """What one process of the page knows.

    Args:
        names: networks of the command line, shown first.
        folder: pictures of the user's own.
        cache: where uploads and peaks are kept.
        weights: files for those of `names` that are package.module:factory.
    """

    def __init__(
        self,
        names: list[str],
        folder: Path | None = None,
        cache: Path | None = None,
        weights: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.names = names
        self.weights = weights
        self.folder = list(islice(pictures_in(folder), sets.MOST)) if folder else []
        self.cache = cache or config.CHECKPOINTS / "look"
        self.uploads = Uploads(self.cache / "uploads")
        self.lock = threading.Lock()  # of what a network computes for the page
        self._beginning = (
            threading.Lock()
        )  # of work, which may be asked for while a network computes
        self._works: dict[tuple[str, ...], Work] = {}
        self._worker = ThreadPoolExecutor(1, "look")
        self.looked = lru_cache(KEPT)(self._load)

    def networks(self) -> Iterator[tuple[str, str]]:
        """Addresses and origins of the networks that can be looked at."""
        seen = set()
        own = [(name, "factory" if ":" in name else "named") for name in self.names]
        known = [*((name, "run") for name in networks.trained())]
        for name, origin in [*own, *known, *((n, "shipped") for n in networks.shipped())]:
            if name not in seen:
                seen.add(name)
                yield name, origin

    def _load(self, name: str) -> Looked:
        if name not in dict(self.networks()):
            raise FileNotFoundError(
                f"{name} is not a network of this page: `python -m zfrepro.look {name}` adds one"
            )
        return Looked(self, library.load(name.split(), weights=self.weights.get(name)))

    def image(self, address: str, looked: Looked | None = None) -> Image.Image:
        """The picture with an address: sample:NAME, upload:HASH, folder:NUMBER or set:NUMBER.

        Raises:
            FileNotFoundError: there is none (any more).
        """
        if address.startswith("set:") and looked is not None:
            images = looked.images()
            number = _number(address, len(images) if images else 0)
            if isinstance(images, Validation):
                return images.image(number)
        return picture.load(self.path(address))

    def path(self, address: str) -> Path:
        """The file of a picture that is not a prepared one. Raises FileNotFoundError."""
        kind, _, name = address.partition(":")
        path = None
        if kind == "sample":
            path = sets.photographs().get(name)
        elif kind == "upload" and name in self.uploads.titles():
            path = self.uploads.path(name)
        elif kind in ("folder", "set") and self.folder:
            path = self.folder[_number(address, len(self.folder))]
        if path is None:
            raise FileNotFoundError(f"the page has no picture {address}: drop it on the page again")
        return path

    def work(self, key: tuple[str, ...], what: str, make: Callable[[Work], object]) -> Work:
        """What has been made under `key`; begun where it was not.

        Raises:
            StillMaking: it is not there yet.
            ValueError: it could not be made.
        """
        with self._beginning:
            known = self._works.get(key)
            if known is None:
                self._works[key] = known = Work(what)
                self._worker.submit(_run, known, make)
        if known.failure:
            self._works.pop(key, None)  # the next question tries again; another may have come first
            raise ValueError(known.failure)
        if not known.finished:
            raise StillMaking(known)
        return known

    def start(self, key: tuple[str, ...], what: str, make: Callable[[Work], object]) -> Work:
        """As `work`, and answers at once."""
        try:
            return self.work(key, what, make)
        except StillMaking as making:
            return making.work

    def job(self, key: tuple[str, ...]) -> Work:
        """What was started under `key`. Raises FileNotFoundError where nothing was."""
        if key not in self._works:
            raise FileNotFoundError("no such work: it was started by another run of the page")
        return self._works[key]

    def occlusion(self, key: tuple[str, ...]) -> Occluded:
        """The maps of a job that is done."""
        work = self.job(key)
        if not work.finished:
            raise StillMaking(work)
        return work.value  # type: ignore[return-value]


def _run(work: Work, make: Callable[[Work], object]) -> None:
    try:
        work.value = make(work)
        work.finished = True
    except (OSError, ValueError, MemoryError) as error:
        work.failure = reason(error)
    except BaseException as error:
        work.failure = f"{type(error).__name__}: {error}"
        raise


def _validation(network: Network, work: Work) -> Validation | None:
    work.what = f"the images of {network.name} are made ready"
    found = sets.prepared(network) or sets.rendered(network)
    return Validation(found) if found else None


def _number(address: str, count: int) -> int:
    word = address.partition(":")[2]
    if not word.isdecimal() or int(word) >= count:
        raise FileNotFoundError(f"there is no picture {address}: there are {count}")
    return int(word)
