"""The published protocols of Caltech-101 and Caltech-256: which images train, which are tested.

Of every class as many images as the protocol says train, and of its other images up to so many are
tested; the accuracy is the mean of the classes' accuracies, so that large classes count no more
than small ones. All is repeated over folds, each drawn anew from the same images; or, of a rendered
set, from images of its own, so that folds are as independent as two renderings of the set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

IMAGENET_PER_CLASS = 1_281_167 / 1000

Ints = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]


class ProtocolError(ValueError):
    """A protocol that these images do not allow; says which class is too small for it."""


@dataclass(frozen=True)
class Fold:
    """Image numbers to train on and to test; within `train` a class' images follow each other."""

    number: int
    seed: int
    images_per_class: int
    train: Ints
    test: Ints


@dataclass(frozen=True)
class Labels:
    """The classes that take part, and of every image which of them it shows.

    Args:
        ids: of the classes, in order.
        of_images: (N,) places in `ids`, -1 for an image of a class that is left out.
    """

    ids: tuple[str, ...]
    of_images: Ints

    @classmethod
    def of(cls, labels: Ints, classes: Sequence[str], left_out: Sequence[str] = ()) -> "Labels":
        """From the labels (N,) of a set and the ids of its classes.

        Raises:
            ProtocolError: a class that is to be left out is none of the set's.
        """
        if unknown := sorted(set(left_out) - set(classes)):
            raise ProtocolError(
                f"leave_out names {unknown[0]}, which is not a class of this set "
                f"({', '.join(classes[:3])} ...)"
            )
        kept = [i for i, name in enumerate(classes) if name not in left_out]
        places = np.full(len(classes), -1)
        places[kept] = np.arange(len(kept))
        return cls(tuple(classes[i] for i in kept), places[labels])

    def presence(self, images: Ints) -> Signs:
        """(B, classes): 1 for the class that an image shows, -1 for the others."""
        shown = self.of_images[images][:, None] == np.arange(len(self.ids))
        return np.where(shown, 1, -1).astype(np.int8)


def draw(
    labels: Labels, images_per_class: int, tested: int, number: int, seed: int,
    independent: int | None = None,
) -> Fold:  # fmt: skip
    """Fold `number` (from 0) with so many images per class to train on, and up to `tested` to test.

    A class' images are put in an order that (seed, number, class) decides; the first train and
    those that follow are tested. So the training images of fewer a class are among those of more,
    and a class that is left out changes no other.

    Args:
        independent: how many folds have images of their own: so many equal parts of each class.

    Raises:
        ProtocolError: a class has no image left to test.
    """
    train, test = [], []
    for label, name in enumerate(labels.ids):
        images = np.flatnonzero(labels.of_images == label)
        if independent is not None:
            part = len(images) // independent
            own = np.random.default_rng([seed, *name.encode()]).permutation(images)
            images = own[number * part : (number + 1) * part]
        if len(images) <= images_per_class:
            raise ProtocolError(
                f"class {name} has {len(images)} images: with {images_per_class} per class to "
                "train on none is left to test; lower images_per_class, or name it in leave_out"
            )
        key = [seed, number, *name.encode()]
        order = np.random.default_rng(key).permutation(images)
        train.append(order[:images_per_class])
        test.append(order[images_per_class : images_per_class + tested])
    return Fold(number, seed, images_per_class, np.concatenate(train), np.concatenate(test))


def mean_class_accuracy(predicted: Ints, truth: Ints) -> float:
    """The mean over the classes in `truth` of the share, in percent, that is predicted right."""
    right = np.bincount(truth, weights=predicted == truth)
    images = np.bincount(truth)
    return float(100 * (right[images > 0] / images[images > 0]).mean())


def table(folds: Iterable[Fold], paths: Sequence[str]) -> pd.DataFrame:
    """One line for each image of each fold: images_per_class, fold, seed, role, image and path."""
    parts = [
        pd.DataFrame({
            "images_per_class": fold.images_per_class, "fold": fold.number, "seed": fold.seed,
            "role": role, "image": images, "path": [paths[i] for i in images],
        })
        for fold in folds
        for role, images in (("train", fold.train), ("test", fold.test))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def proportionate(count: int, source_per_class: float) -> int:
    """As many images per class, of a source with so many, as `count` are of ImageNet's 1,281.

    The paper's few images are few beside those that its network was trained on.
    """
    return max(round(count * source_per_class / IMAGENET_PER_CLASS), 1)
