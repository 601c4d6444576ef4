"""What the stages on other sets share: features of a network there, finished folds."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from zfrepro import config, files
from zfrepro.config import Config
from zfrepro.data.store import ABSENT, PreparedSet, Split
from zfrepro.devices import device_of
from zfrepro.fingerprint import fingerprint
from zfrepro.inference.untrained import untrained
from zfrepro.interp.chain import Chain
from zfrepro.results import read_recipe
from zfrepro.training.trained import Trained, centred, load
from zfrepro.transfer import features, probe
from zfrepro.transfer.protocol import Fold, Labels, draw

RESULTS = config.ROOT / "results"
COLUMNS = [
    "set", "arm", "classifier", "layer", "images_per_class", "fold", "seed", "accuracy", "strength",
    "classes", "fewest_tested", "numbers",
]  # fmt: skip

Row = dict[str, Any]

UNTRAINED = "untrained"
FEW = 20  # classifiers: for less a worker need not start


def is_absent(name: str) -> bool:
    """Whether the profile lacks the set, as stage `prepare` found."""
    return (RESULTS / "prepared" / name / ABSENT).is_file()


class UnfitError(ValueError):
    """A network and images that do not go together."""


class Network:
    """The network that an experiment has trained, and its folder in `.checkpoints/`.

    Args:
        arm: "pretrained"; "untrained" for the same with the random weights that it began with, the
            control of what its features are worth.
    """

    def __init__(self, name: str, arm: str = "pretrained") -> None:
        folder = RESULTS / "runs" / name
        self.name, self.arm = name, arm
        self.config = config.load(folder / "config.yaml")
        self.folder = config.CHECKPOINTS / read_recipe(folder)["fingerprint"]
        if arm == UNTRAINED:
            self.folder /= UNTRAINED
        self.device = device_of(self.config["trainer"]["accelerator"])
        self._weights = folder / "weights.pt"

    @cached_property
    def trained(self) -> Trained:
        found = load(self._weights)
        if self.arm == UNTRAINED:
            found = untrained(found)
        return found.to(self.device)


class Target:
    """A set that another network classifies.

    Raises:
        StoreError: it has not been prepared.
        UnfitError: it has been prepared at another size.
    """

    def __init__(self, name: str, network: Network) -> None:
        folder = RESULTS / "prepared" / name
        if not (folder / "manifest.json").is_file():
            raise FileNotFoundError(
                f"there are no prepared images in {folder}: `dvc repro prepare@{name}` makes them"
            )
        self.name, self.network = name, network
        self.prepared = PreparedSet.open(folder)
        self.data: str = self.prepared.manifest["digest"]
        if (size := network.trained.image_size) != self.prepared.image_size:
            raise UnfitError(
                f"{network.name} was trained on images of {size} pixels, and those in {folder} "
                f"have {self.prepared.image_size}: `dvc repro prepare@{name}`"
            )

    def features(self, split: Split, layers: Sequence[str]) -> dict[str, Path]:
        """Where the features of each layer are; extracted once, whoever asks for them."""
        parts = {"data": self.data, "split": split.name}
        mark = fingerprint(parts, ["zfrepro.transfer.features"])
        folder = self.network.folder / f"features-{mark}"
        what = f"{self.network.name}, {self.network.arm}, features of {self.name}"
        trained = self.network.trained
        with files.exclusive(folder, what):
            return features.extract(
                Chain(trained.net), layers, len(split),
                lambda numbers: centred(trained, split.read(numbers, crop=trained.crop)),
                folder, precision=trained.precision, progress=what,
            )  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A classifier on the features of one layer, of one fold."""

    fold: Fold
    layer: str
    classifier: str

    @property
    def name(self) -> str:
        return f"{self.layer}-{self.classifier}"


class Classes(Target):
    """A set whose images show one class each: Caltech-101 or Caltech-256."""

    def __init__(self, name: str, network: Network, settings: Config) -> None:
        super().__init__(name, network)
        self._settings, self._protocol = settings, settings[name]
        self.strengths: Mapping[str, Sequence[float]] = settings["strengths"]
        self.split = self.prepared.split("all")
        ids = [identity for identity, _ in self.prepared.classes]
        self.labels = Labels.of(self.split.labels, ids, self._protocol["leave_out"])

    def fold(self, images_per_class: int, number: int) -> Fold:
        seed = self._settings["seed"]
        return draw(
            self.labels, images_per_class, self._protocol["tested"], number, seed,
            self._protocol["folds"] if self._protocol["independent_folds"] else None,
        )  # fmt: skip

    @cached_property
    def drawn(self) -> Config:
        """What decides the folds, and with the network's settings what is found for each."""
        keys = ("leave_out", "tested")
        protocol = {key: self._protocol[key] for key in keys}
        if self._protocol["independent_folds"]:
            protocol["independent"] = self._protocol["folds"]
        return {**protocol, "data": self.data, "seed": self._settings["seed"]}

    @cached_property
    def probes(self) -> Path:
        """The folder that keeps what `probed` found on this set."""
        parts = {**self.drawn, "strengths": self.strengths}
        mark = fingerprint(parts, ["zfrepro.transfer.probe", "zfrepro.transfer.features"])
        folder: Path = self.network.folder / f"folds-{mark}"
        return folder

    def row(self, fold: Fold, **facts: Any) -> Row:
        """What a fold's line in `folds.csv` has beside its accuracy."""
        tested = np.bincount(self.labels.of_images[fold.test], minlength=len(self.labels.ids))
        return {
            "set": self.name,
            **facts,
            "images_per_class": fold.images_per_class,
            "fold": fold.number,
            "seed": fold.seed,
            "classes": len(self.labels.ids),
            "fewest_tested": int(tested.min()),
        }


Map = Callable[..., Iterator[Any]]  # as `map`, perhaps by worker processes


def unprobed(wanted: Sequence[tuple[Classes, Probe]]) -> int:
    """Those that `probed` has to work out."""
    return sum(not is_kept(target.probes, each.name, each.fold) for target, each in wanted)


def probed(wanted: Sequence[tuple[Classes, Probe]], progress: str, each_of: Map) -> Iterator[Row]:
    """A line of each: of a fold, a classifier on a layer's features."""
    layers: dict[Classes, set[str]] = {}
    for target, each in wanted:
        layers.setdefault(target, set()).add(each.layer)
    features = {target: target.features(target.split, sorted(of)) for target, of in layers.items()}
    tasks = [
        (target.probes, features[target][each.layer], target.labels,
         target.strengths[each.classifier], target.network.config["trainer"]["accelerator"], each)
        for target, each in wanted
    ]  # fmt: skip
    found = tqdm(
        each_of(_probed, *zip(*tasks, strict=True)), progress, len(tasks), unit="fold", disable=None
    )
    for (target, each), row in zip(wanted, found, strict=True):
        facts = {"classifier": each.classifier, "layer": each.layer}
        yield target.row(each.fold, arm=target.network.arm, **facts) | row


def _probed(
    folder: Path, features: Path, labels: Labels, strengths: Sequence[float], accelerator: str,
    wanted: Probe,
) -> Row:  # fmt: skip
    def work(_: Path) -> Row:
        device = device_of(accelerator)  # in the process that computes
        found = probe.accuracy(features, wanted.fold, labels, wanted.classifier, strengths, device)
        numbers = np.load(features, mmap_mode="r").shape[1]  # of an image, all of them used
        return dict(zip(("accuracy", "strength", "numbers"), (*found, numbers), strict=True))

    return kept(folder, wanted.name, wanted.fold, work)


def kept(folder: Path, name: str, fold: Fold, work: Callable[[Path], Row]) -> Row:
    """What `work` found for the fold, in this process or an earlier one.

    Args:
        folder: of all that decides it but for `name` and the fold.
        work: gets a folder that is its own, and outlives a kill, until it has finished.
    """
    stem = _stem(name, fold)
    path, own = folder / f"{stem}.json.gz", folder / stem
    content = files.kept(path)
    if content is None:
        with files.exclusive(own, stem):
            content = json.dumps(work(own)).encode()
            files.keep(path, content)
            shutil.rmtree(own)
    found: Row = json.loads(content)
    return found


def is_kept(folder: Path, name: str, fold: Fold) -> bool:
    """Whether `kept` has nothing to do."""
    return (folder / f"{_stem(name, fold)}.json.gz").is_file()


def _stem(name: str, fold: Fold) -> str:
    return f"{name}-{fold.images_per_class}-{fold.number}"


def write_folds(rows: Sequence[Row], path: Path) -> None:
    """One line a fold; only the header where a profile lacks the set."""
    with files.atomic_path(path) as temporary:
        pd.DataFrame(list(rows), columns=COLUMNS).to_csv(
            temporary, index=False, float_format="%.6g"
        )
