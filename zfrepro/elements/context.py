"""What an element's stage works with: the study's trained networks and prepared images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from zfrepro import config
from zfrepro.config import Config
from zfrepro.data import annotations
from zfrepro.data.annotations import Box, Placement
from zfrepro.data.sample import stratified_sample
from zfrepro.data.store import PreparedSet, Split
from zfrepro.devices import device_of
from zfrepro.fingerprint import fingerprint
from zfrepro.inference.evaluation import check_fit
from zfrepro.interp import top_activations
from zfrepro.interp.deconv import Deconvnet
from zfrepro.interp.top_activations import Strength
from zfrepro.render import style
from zfrepro.results import Results
from zfrepro.sharing import gpus
from zfrepro.training.trained import AT_CHANCE, Trained, centred, load
from zfrepro.workers import shared_map

Ints = npt.NDArray[np.int64]
Read = Callable[[Ints], Tensor]
Show = Callable[[Ints], npt.NDArray[np.float32]]
Collect = Callable[["Context", str], None]
Boxes = dict[int, Box | None]  # of each image the part of its object that a crop shows


@dataclass(frozen=True)
class Context:
    """The study, as one element sees it.

    Args:
        settings: its section of `conf/analysis.yaml`, resolved.
        results: the folder `results/`.
        folder: where it writes.
    """

    settings: Config
    results: Results
    folder: Path

    @cached_property
    def prepared(self) -> PreparedSet:
        """The source's images."""
        return PreparedSet.open(self.results.folder / "prepared" / "source")

    @cached_property
    def split(self) -> Split:
        """Those of them that the settings name."""
        return self.prepared.split(self.settings["split"])

    @property
    def networks(self) -> list[str]:
        """The network that is shown, and the others that give the spread."""
        return [self.settings["network"], *self.settings["others"]]

    def share_out(self, collect: Collect, networks: Sequence[str]) -> None:
        """Has all GPUs collect the networks' strongest activations, where there are several.

        To be called first: what `collect` asks `top_activations` for is kept, and found again by
        this process. Of GPUs with the same network each takes the parts that no other has.

        Args:
            collect: a function of a module, which is called in other processes.
        """
        run = self.results.folder / "runs" / networks[0]
        devices = gpus(config.load(run / "config.yaml")["trainer"])
        if len(devices) > 1:
            wanted = islice(cycle(networks), max(len(devices), len(networks)))
            with shared_map(len(devices), devices) as each_of:
                list(each_of(partial(collect, self), wanted))

    def trained(self, network: str) -> Trained:
        """The network that an experiment has trained, on the kind of device it was trained on.

        Where it is no better than chance every figure says so.

        Raises:
            OSError: it has not been trained.
            ValueError: it is damaged, or was trained on other classes than the prepared images'.
        """
        run = self.results.folder / "runs" / network
        trainer = config.load(run / "config.yaml")["trainer"]
        found = load(run / "weights.pt").to(device_of(trainer["accelerator"]))
        check_fit(found, self.prepared)
        if found.at_chance:
            style.caution(f"{network} {AT_CHANCE}")
        return found

    def sample(self, among: Ints | None = None) -> Ints:
        """The numbers of `settings.images` images, at most a quarter of the split's.

        Spread over the classes, in random order.

        Args:
            among: those that come into question; None: all.
        """
        numbers = np.arange(len(self.split)) if among is None else among
        count = min(self.settings["images"], max(len(self.split) // 4, 5))
        return numbers[stratified_sample(self.split.labels[numbers], count, self.settings["seed"])]

    def boxes(self, numbers: Ints, crop: int) -> Boxes:
        """Of these images; None where the object's place is not known, or not in the crop."""
        split = self.split
        known = annotations.of_images(self.prepared.folder, split.name, split.paths_of(numbers))
        if known is None:
            return dict.fromkeys(numbers.tolist())
        side = self.prepared.image_size
        return {
            number: each.box and Placement.of(each.width, each.height, side, crop).box(each.box)
            for number, each in zip(numbers.tolist(), known, strict=True)
        }

    def reader(self, trained: Trained) -> Read:
        """What gives the network's input (N, 3, c, c) for images of these numbers (N,)."""

        def read(numbers: Ints) -> Tensor:
            return centred(trained, self.split.read(numbers, crop=trained.crop))

        return read

    def pictures(self, trained: Trained) -> Show:
        """What gives the same crops (N, c, c, 3) between 0 and 1."""

        def show(numbers: Ints) -> npt.NDArray[np.float32]:
            return self.split.read(numbers, crop=trained.crop).astype(np.float32) / np.float32(255)

        return show

    def top_activations(
        self,
        network: str,
        trained: Trained,
        deconvnet: Deconvnet,
        layers: Sequence[str],
        epoch: int | None = None,
        by: Strength = "peak",
    ) -> pd.DataFrame:
        """The strongest activations of a run's network over the split; kept, and found again.

        Args:
            epoch: of the snapshot that the network has been put back to, 0 before its training;
                None: it is as trained.
            by: what makes an image strong, its map's peak or sum.
        """
        data, split = self.prepared.manifest["digest"], self.split.name
        parts = {"data": data, "split": split, "layers": list(layers), "epoch": epoch, "by": by}
        mark = fingerprint(parts, [top_activations.__name__, "zfrepro.training.trained"])
        run = self.results.run(network)["fingerprint"]
        what = f"{network}, {split}" + ("" if epoch is None else f", epoch {epoch}")
        return top_activations.collect(
            deconvnet.chain, layers, len(self.split), self.reader(trained),
            config.CHECKPOINTS / run / f"strongest-{mark}", by=by, progress=what,
        )  # fmt: skip
