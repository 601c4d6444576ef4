"""The same net from random weights on the training images of a fold (tables 4 and 5, "scratch").

All layers learn, by the recipe of the paper: `zfrepro.training.fit` trains the fold as if it were
a prepared set. It has few images and the recipe counts in epochs, so that here an epoch goes
through them several times.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zfrepro.data.crops import centre_crop
from zfrepro.data.store import Ints, PreparedSet, Split
from zfrepro.devices import device_of
from zfrepro.seeds import member_seed
from zfrepro.training.fit import fit
from zfrepro.training.trained import Trained, view_probabilities
from zfrepro.transfer.protocol import Fold, Labels, mean_class_accuracy

BATCH = 64

Config = Mapping[str, Any]


class FoldSet(PreparedSet):
    """A fold as a prepared set: `train`, `size` images, and `val`.

    `train` holds each of the fold's images as often as the others, or once more. `val` is what is
    tested: nothing in the training may depend on it.
    """

    def __init__(
        self, whole: PreparedSet, split: Split, fold: Fold, labels: Labels, size: int
    ) -> None:
        super().__init__(whole.folder, whole.manifest)
        self.classes = tuple(pair for pair in whole.classes if pair[0] in labels.ids)
        # the odd ones spread over all classes, which follow each other
        repeated = fold.train[np.arange(size) * len(fold.train) // size]
        self._trained = part_of(split, fold.train, labels)
        self._parts = {
            "train": part_of(split, repeated, labels),
            "val": part_of(split, fold.test, labels),
        }

    def split(self, name: str) -> Split:
        return self._parts[name]

    @cached_property
    def mean(self) -> npt.NDArray[np.float32]:
        """Of the fold's training images."""
        total = np.zeros((self.image_size, self.image_size, 3))
        for start in range(0, len(self._trained), BATCH):
            rows = np.arange(start, min(start + BATCH, len(self._trained)))
            total += self._trained.read(rows).sum(0, dtype=np.float64)
        return (total / len(self._trained)).astype(np.float32)


def part_of(split: Split, images: Ints, labels: Labels) -> Split:
    """Some images of a split, in this order and with these labels, as a split."""
    return split.subset(images, labels.of_images[images])


def accuracy(
    experiment: Config,
    scratch: Config,
    prepared: PreparedSet,
    fold: Fold,
    labels: Labels,
    folder: Path,
    threads: int | None = None,
) -> float:
    """Trains on the fold and tests it: mean accuracy of the classes, one centre crop an image.

    A killed training goes on from its last epoch, which `folder` keeps.

    Args:
        experiment: the resolved configuration of the net that was trained on the other set.
        scratch: what differs of its section `training`: batch, epochs and milestones; and `steps`,
            how many make an epoch. What is tested may not anneal, hence the milestones.
        threads: of the training on a CPU; None: one for each core.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    config = settings(experiment, scratch, fold, threads)
    size = max(scratch["steps"] * config["training"]["batch"], len(fold.train))
    data = FoldSet(prepared, prepared.split("all"), fold, labels, size)
    fitted = fit(config, data, folder, report=lambda _: None)
    trained = Trained(
        net=fitted.net.eval(),
        mean=torch.from_numpy(data.mean),
        image_size=data.image_size,
        crop=config["crop"],
        classes=list(data.classes),
        resize_filter=prepared.manifest["filter"],
        precision=fitted.precision,
    ).to(device_of(config["trainer"]["accelerator"]))
    tested = data.split("val")
    return mean_class_accuracy(predictions(trained, tested), tested.labels)


def settings(
    experiment: Config, scratch: Config, fold: Fold, threads: int | None = None
) -> dict[str, Any]:
    """The configuration that `fit` takes; the net's weights are drawn anew for each fold."""
    training = experiment["training"]
    return {
        "model": experiment["model"],
        "crop": experiment["crop"],
        "seed": member_seed(fold.seed, f"fold {fold.number}"),
        "training": {
            **training,
            "epochs": scratch["epochs"],
            "batch": min(scratch["batch"], len(fold.train)),
            "annealing": {**training["annealing"], "milestones": list(scratch["milestones"])},
            "snapshots": [],
            "start": None,
            "frozen_up_to": None,
        },
        "trainer": {
            **experiment["trainer"], "devices": 1, "nodes": 1, "strategy": "auto", "workers": 0,
            "progress": "none", "threads": threads,
        },
    }  # fmt: skip


def predictions(trained: Trained, split: Split) -> Ints:
    """(N,): the most probable class of each image, from its centre crop."""
    view = centre_crop(trained.image_size, trained.crop)
    found = []
    for start in range(0, len(split), BATCH):
        rows = np.arange(start, min(start + BATCH, len(split)))
        found.append(view_probabilities(trained, split.read(rows), view)[0].argmax(1).cpu())
    predicted: Ints = torch.cat(found).numpy()
    return predicted
