"""How well a linear classifier tells the classes apart by the features of one layer (table 7)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from zfrepro.transfer import classifiers
from zfrepro.transfer.classifiers import Floats, Linear, Score, Signs
from zfrepro.transfer.coordinates import Coordinates, coordinates
from zfrepro.transfer.protocol import Fold, Labels, mean_class_accuracy


def accuracy(
    features: Path,
    fold: Fold,
    labels: Labels,
    classifier: str,
    strengths: Sequence[float],
    device: torch.device,
) -> tuple[float, float]:
    """Mean accuracy of the classes on the fold's tested images, and the strength chosen.

    Args:
        features: a file that `features.extract` wrote, of all images of the set.
        classifier: a name of `classifiers.LOSSES`.
        strengths: those to choose from, on the fold's training images alone.
        device: where all of it is computed.
    """
    found = coordinates(features, fold.train, fold.test, device)
    model, strength = fitted(
        found, labels.presence(fold.train), classifier, strengths, _class_accuracy
    )
    predicted = found.scores(model).argmax(1)
    return mean_class_accuracy(predicted, labels.of_images[fold.test]), strength


def fitted(
    found: Coordinates, presence: Signs, classifier: str, strengths: Sequence[float], score: Score
) -> tuple[Linear, float]:
    """The classifier of the strength with the best `score` in cross-validation, and that.

    It is fitted where its features are.
    """
    loss, parts = classifiers.LOSSES[classifier], classifiers.parts_of(presence)
    strength = classifiers.choose(found.train, presence, parts, loss, strengths, score)
    return classifiers.fit(found.train, presence, loss, strength), strength


def _class_accuracy(scores: Floats, presence: Signs) -> float:
    return mean_class_accuracy(scores.argmax(1), presence.argmax(1))
