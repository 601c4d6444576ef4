"""Keys of conf/transfer.yaml: what a network's features are worth on other sets."""

from dataclasses import dataclass
from typing import Any

from zfrepro.elements.settings import LAYER, LAYERS
from zfrepro.keys import SEED, flag, key, section

COUNT: dict[str, Any] = {"least": 1, "most": 100_000}
STRENGTH: dict[str, Any] = {"above": 0, "most": 10**9}
SPLITS: dict[str, Any] = {"one_of": ("train", "val")}


@dataclass
class Strengths:
    """C of the classifiers, chosen on a fold's training images."""

    softmax: list[float] = key("to choose from", **STRENGTH)
    logistic: list[float] = key("to choose from", **STRENGTH)
    svm: list[float] = key("to choose from", **STRENGTH)


@dataclass
class FromScratch:
    images_per_class: list[int] = key("to train on", **COUNT)
    folds: int = key("draws of the training images", least=1, most=1000)


@dataclass
class Caltech:
    images_per_class: list[int] = key("to train on", **COUNT)
    tested: int = key("of the other images of a class, up to so many", **COUNT)
    folds: int = key("draws of the training images", least=1, most=1000)
    independent_folds: Any = flag(
        "each fold has images of its own, as a rendered set has as many as one wants", default=False
    )
    leave_out: list[str] = key("class ids")
    scratch: FromScratch = section("the net from random weights", FromScratch)


@dataclass
class Voc:
    train: list[str] = key("splits to train on", **SPLITS)
    test: list[str] = key("splits to test on", **SPLITS)
    classifiers: list[str] = key(
        "the paper's softmax over all classes; logistic: each class against the rest",
        one_of=("softmax", "logistic", "svm"),
    )


@dataclass
class Scratch:
    batch: int = key("images of a step", **COUNT)
    epochs: int = key("times of `steps` steps", **COUNT)
    steps: int = key("of an epoch, which goes through the few images several times", **COUNT)
    milestones: list[int] = key("epochs after which the rate falls", **COUNT)


@dataclass
class EachSet:
    caltech101: int = key("to train on", **COUNT)
    caltech256: int = key("to train on", **COUNT)


@dataclass
class Probe:
    images_per_class: EachSet = section("to train on", EachSet)
    folds: int = key("draws of the training images", least=1, most=1000)
    svm: list[str] = key("layers whose features an SVM gets", **LAYERS)
    softmax: list[str] = key("layers whose features a softmax gets", **LAYERS)


@dataclass
class Transfer:
    """Tables 4 to 7 and figure 9."""

    network: str = key("an experiment", option_of="experiment")
    seed: int = key("with the fold's number it decides the fold", **SEED)
    layer: str = key("a new softmax on layers up to this, which stay as they are", **LAYER)
    strengths: Strengths = section("of the classifiers", Strengths)
    caltech101: Caltech = section("tables 4 and 7", Caltech)
    caltech256: Caltech = section("tables 5 and 7, figure 9", Caltech)
    voc2012: Voc = section("table 6", Voc)
    scratch: Scratch = section("the net from random weights on a fold", Scratch)
    probe: Probe = section("table 7", Probe)
