"""What the stages beside training ask of a machine: one function a stage, from its settings.

A stage is counted in passes of networks, in products of numbers, and in images that it reads. How
long that takes is up to the machine (`zfrepro.cost.stages`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from typing import Any, NamedTuple

from zfrepro import elements
from zfrepro.cost.counts import FLOAT, Net
from zfrepro.data.sources.published import Size
from zfrepro.elements.base import Element, Passes
from zfrepro.transfer.classifiers import PARTS
from zfrepro.transfer.rows import BLOCK

EVALUATIONS = 130  # of loss and gradient until L-BFGS is content: 101 to 159 in the miniature
SEEN_BY = ("conv", "fc", "flatten")  # what begins the layer above, which sees a layer's feature

Config = Mapping[str, Any]


class Retraining(NamedTuple):
    """Images that an experiment's network is trained and validated on, from random weights."""

    network: str
    train: int
    val: int


@dataclass(frozen=True)
class Demand:
    """What one stage asks for; all of it may be nothing."""

    passes: Sequence[Passes] = ()
    retrained: Sequence[Retraining] = ()
    thumbnails: int = 0  # images that are read and made small
    products: float = 0  # FLOP of matrix products, on the CPU
    fits: float = 0  # the same of classifiers and their coordinates, where networks run
    evaluations: int = 0  # of a classifier's loss
    memory: int = 0  # bytes of what such products take and give
    disk: int = 0  # bytes that stay
    moved: int = 0  # bytes that are written to the disk or read from it
    shared_out: bool = False  # to all GPUs

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(
            [*self.passes, *other.passes],
            [*self.retrained, *other.retrained],
            self.thumbnails + other.thumbnails,
            self.products + other.products,
            self.fits + other.fits,
            self.evaluations + other.evaluations,
            max(self.memory, other.memory),
            self.disk + other.disk,
            self.moved + other.moved,
            self.shared_out and other.shared_out,
        )


class Sizes(NamedTuple):
    """Of the source and, by name, of the transfer sets that the profile has."""

    source: Size
    sets: Mapping[str, Size]

    def split(self, name: str) -> int:
        return self.source.train if name == "train" else self.source.val


@dataclass(frozen=True)
class Known:
    """What the demands are worked out from."""

    sizes: Sizes
    networks: Mapping[str, Config]  # resolved, by experiment
    nets: Mapping[str, Net]
    analysis: Config
    transfer: Config

    def crop(self, network: str) -> int:
        return int(self.networks[network]["crop"])

    def sample(self, settings: Config) -> int:
        """As `Context.sample` of an element draws them."""
        return min(int(settings["images"]), max(self.sizes.split(settings["split"]) // 4, 5))


def overlap(known: Known) -> Demand:
    """Thumbnails of all, and the product of each two."""
    train = known.sizes.source.train
    others = sum(size.train + size.val for size in known.sizes.sets.values())
    side = known.analysis["overlap"]["side"]
    if not others:
        return Demand()
    return Demand(thumbnails=train + others, products=2.0 * train * others * side**2)


def transfer(known: Known, name: str) -> Demand:
    """A layer's features of all images, classifiers on them, and nets trained from scratch."""
    if name not in known.sizes.sets:
        return Demand()
    mine, layer = known.transfer[name], known.transfer["layer"]
    demand = _extraction(known, name, [layer])
    if name == "voc2012":
        size = known.sizes.sets[name]
        for classifier in mine["classifiers"]:
            demand += _fit(known, layer, classifier, size.train, 0, size.classes)
        return demand
    for images_per_class in mine["images_per_class"]:
        fold = _fold(known, name, images_per_class)
        for _ in range(mine["folds"]):
            demand += _fit(known, layer, "softmax", *fold)
    demand += _extraction(known, name, [layer])  # before the training too
    for images_per_class in mine["scratch"]["images_per_class"]:
        for _ in range(mine["scratch"]["folds"]):
            demand += _fit(known, layer, "softmax", *_fold(known, name, images_per_class))
    return demand + Demand(retrained=list(_scratch(known, name)))


def probe(known: Known) -> Demand:
    """The same classifiers on many layers' features; the SVMs before the training too."""
    mine, demand = known.transfer["probe"], Demand()
    pairs = [(kind, layer) for kind in ("svm", "softmax") for layer in mine[kind]]
    for name in (name for name in mine["images_per_class"] if name in known.sizes.sets):
        demand += _extraction(known, name, list(dict.fromkeys(layer for _, layer in pairs)))
        demand += _extraction(known, name, mine["svm"])
        fold = _fold(known, name, mine["images_per_class"][name])
        for classifier, layer in [*pairs, *(("svm", layer) for layer in mine["svm"])]:
            for _ in range(mine["folds"]):
                demand += _fit(known, layer, classifier, *fold)
    return demand


def of_element(element: Element, known: Known) -> Demand:
    """What its networks see."""
    passes = list(element.passes(known.analysis[element.stage], known))
    return Demand(passes, shared_out=element.shared_out)


def nothing(_: Known) -> Demand:
    """Reads and writes a few files."""
    return Demand()


DEMANDS: Mapping[str, Callable[..., Demand]] = {
    "sources": nothing,
    "resolve": nothing,
    "overlap": overlap,
    "publish": nothing,
    **{each.stage: partial(of_element, each) for each in elements.every()},
    "transfer": transfer,
    "probe": probe,
    "tables": nothing,
    "claims": nothing,
    "report": nothing,
}


def feature_numbers(net: Net, layer: str) -> int:
    """How many numbers the layer above `layer` sees of an image, as `transfer.features` has them.

    Raises:
        KeyError: the net has no such layer.
    """
    found = None
    for row in net.rows:
        if found is not None and row.kind in SEEN_BY:
            break
        if row.layer == layer:
            found = prod(row.outputs)
    if found is None:
        raise KeyError(layer)
    return found


def _extraction(known: Known, name: str, layers: Sequence[str]) -> Demand:
    network, size = known.transfer["network"], known.sizes.sets[name]
    images = size.train + size.val
    numbers = sum(feature_numbers(known.nets[network], layer) for layer in layers)
    written = FLOAT * numbers * images
    return Demand([Passes(network, images, layers)], disk=written, moved=written)


def _fold(known: Known, name: str, images_per_class: int) -> tuple[int, int, int]:
    """Images to train on, images to test, classes; as if all classes were of one size."""
    mine, size = known.transfer[name], known.sizes.sets[name]
    classes = size.classes - len(mine["leave_out"])
    left = max(1, (size.train + size.val) // size.classes - images_per_class)
    return classes * images_per_class, classes * min(mine["tested"], left), classes


def _fit(
    known: Known, layer: str, classifier: str, train: int, test: int, classes: int
) -> Demand:  # fmt: skip
    """One classifier, for each strength on each part of the images and then on all of them."""
    numbers = feature_numbers(known.nets[known.transfer["network"]], layer)
    projected = numbers > train  # onto the span of the training images, by their Gram matrix
    held = train * min(train + BLOCK, 2 * train) / 2 if projected else train * numbers
    evaluations = EVALUATIONS * (PARTS * len(known.transfer["strengths"][classifier]) + 1)
    # scores from weights, and the gradient from scores
    products = evaluations * 2 * 2.0 * held * classes
    if projected:
        # half the Gram matrix, its factor, and what that makes of weights, which score the others
        products += 2 * held * numbers + train**3 / 3 + train**2 * classes
        products += 2.0 * (train + test) * numbers * classes
    return Demand(
        fits=products,
        evaluations=evaluations,
        memory=round(FLOAT * (held if projected else held + test * numbers)),
        # for the Gram matrix, and again for the scores
        moved=FLOAT * numbers * ((1 + projected) * train + test),
    )


def _scratch(known: Known, name: str) -> Iterator[Retraining]:
    mine, scratch = known.transfer[name], known.transfer["scratch"]
    for images_per_class in mine["scratch"]["images_per_class"]:
        train, test, _ = _fold(known, name, images_per_class)
        batch = min(scratch["batch"], train)
        steps = ceil(scratch["steps"] * batch / train) * train // batch
        for _ in range(mine["scratch"]["folds"]):
            yield Retraining(
                known.transfer["network"],
                scratch["epochs"] * steps * batch,
                scratch["epochs"] * test,
            )
