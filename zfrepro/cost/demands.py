"""What the stages beside training ask of a machine: one function a stage, from its settings.

A stage is counted in passes of networks, in products of numbers, and in images that it reads. How
long that takes is up to the machine (`zfrepro.cost.stages`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NamedTuple

from zfrepro.analysis.invariance import KINDS, transformations
from zfrepro.analysis.occlusion import Square
from zfrepro.analysis.strongest import COUNT
from zfrepro.cost.counts import FLOAT, Net
from zfrepro.data.sources.published import Size
from zfrepro.transfer.classifiers import PARTS

PROJECTION = 2  # passes: the way up through the window and the way down
FIXED = 32  # maps of a layer that stage `evolution` follows through its snapshots
RERUN = 0.31  # of a pass, for a place of the square: `make bench`, "ours / whole images"
LANDMARKS = 3  # of a face: two eyes and a nose
EVALUATIONS = 130  # of loss and gradient until L-BFGS is content: 101 to 159 in the miniature
SEEN_BY = ("conv", "fc", "flatten")  # what begins the layer above, which sees a layer's feature

Config = Mapping[str, Any]


class Passes(NamedTuple):
    """Images that an experiment's network sees, as far as the last of `layers`; if none, whole."""

    network: str
    images: float
    layers: Sequence[str] = ()


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
    fits: float = 0  # the same of classifiers, which a GPU fits where there is one
    evaluations: int = 0  # of a classifier's loss
    memory: int = 0  # bytes of what such products take and give
    disk: int = 0  # bytes that stay

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
        """As `pipelines._figures.sample` draws them."""
        return min(int(settings["images"]), max(self.sizes.split(settings["split"]) // 4, 5))


def overlap(known: Known) -> Demand:
    """Thumbnails of all, and the product of each two."""
    train = known.sizes.source.train
    others = sum(size.train + size.val for size in known.sizes.sets.values())
    side = known.analysis["overlap"]["side"]
    if not others:
        return Demand()
    return Demand(thumbnails=train + others, products=2.0 * train * others * side**2)


def features(known: Known) -> Demand:
    """All images once, and the strongest of some maps projected."""
    mine = known.analysis["features"]
    shown = COUNT * sum(mine["maps"].values())
    return Demand([
        Passes(mine["network"], known.sizes.split(mine["split"])),
        Passes(mine["network"], PROJECTION * shown, list(mine["maps"])),
    ])  # fmt: skip


def atlas(known: Known) -> Demand:
    """The strongest images of every map projected."""
    mine = known.analysis["atlas"]
    net = known.nets[mine["network"]]
    maps = sum(
        row.outputs[0] for row in net.rows if row.kind == "conv" and row.layer in mine["layers"]
    )
    return Demand([Passes(mine["network"], PROJECTION * COUNT * maps, mine["layers"])])


def evolution(known: Known) -> Demand:
    """All images once for each snapshot of each network."""
    mine = known.analysis["evolution"]
    images, layers = known.sizes.split(mine["split"]), mine["layers"]
    passes = []
    for network in (mine["network"], *mine["others"]):
        snapshots = len(known.networks[network]["training"]["snapshots"])
        projected = PROJECTION * FIXED * len(layers) * (snapshots + 1)
        passes.append(Passes(network, snapshots * (images + projected), layers))
    return Demand(passes)


def architecture(known: Known) -> Demand:
    """All images once for each network, as far as layer 2."""
    mine = known.analysis["architecture"]
    images = known.sizes.split(mine["split"])
    networks = [name for kind in ("unclipped", "alexnet", "zfnet") for name in mine[kind]]
    return Demand([Passes(network, images, ["conv2"]) for network in networks])


def invariance(known: Known) -> Demand:
    """Some images in all positions."""
    mine = known.analysis["invariance"]
    wanted = {kind: mine[kind] for kind in KINDS}
    count = 1 + len(transformations(known.crop(mine["network"]), **wanted))
    return _each(mine, known.sample(mine) * count)


def occlusion(known: Known) -> Demand:
    """Some images with the square in all places; finer for those that are shown."""
    mine = known.analysis["occlusion"]
    crop, network = known.crop(mine["network"]), mine["network"]

    def places(stride: int) -> int:
        return len(Square.of(crop, stride=stride, **mine["square"]).starts(crop)) ** 2

    shown = Passes(network, mine["shown"] * RERUN * places(mine["stride"]))
    return _each(mine, known.sample(mine) * (1 + RERUN * places(mine["scored_stride"]))) + Demand(
        [shown]
    )


def correspondence(known: Known) -> Demand:
    """Some faces, as they are and with each part or place covered."""
    mine = known.analysis["correspondence"]
    return _each(mine, known.sample(mine) * (1 + LANDMARKS + mine["draws"]))


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
    for images_a_class in mine["images_a_class"]:
        fold = _fold(known, name, images_a_class)
        for _ in range(mine["folds"]):
            demand += _fit(known, layer, "softmax", *fold)
    return demand + Demand(retrained=list(_scratch(known, name)))


def probe(known: Known) -> Demand:
    """The same classifiers on many layers' features."""
    mine, demand = known.transfer["probe"], Demand()
    pairs = [(kind, layer) for kind in ("svm", "softmax") for layer in mine[kind]]
    for name in (name for name in mine["images_a_class"] if name in known.sizes.sets):
        demand += _extraction(known, name, list(dict.fromkeys(layer for _, layer in pairs)))
        fold = _fold(known, name, mine["images_a_class"][name])
        for classifier, layer in pairs:
            for _ in range(mine["folds"]):
                demand += _fit(known, layer, classifier, *fold)
    return demand


def nothing(_: Known) -> Demand:
    """Reads and writes a few files."""
    return Demand()


DEMANDS: Mapping[str, Callable[..., Demand]] = {
    "sources": nothing,
    "resolve": nothing,
    "overlap": overlap,
    "publish": nothing,
    "features": features,
    "atlas": atlas,
    "evolution": evolution,
    "architecture": architecture,
    "invariance": invariance,
    "occlusion": occlusion,
    "correspondence": correspondence,
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


def _each(settings: Config, images: float) -> Demand:
    """The same images through the network that is shown and the others."""
    return Demand([Passes(n, images) for n in (settings["network"], *settings["others"])])


def _extraction(known: Known, name: str, layers: Sequence[str]) -> Demand:
    network, size = known.transfer["network"], known.sizes.sets[name]
    images = size.train + size.val
    numbers = sum(feature_numbers(known.nets[network], layer) for layer in layers)
    return Demand([Passes(network, images, layers)], disk=FLOAT * numbers * images)


def _fold(known: Known, name: str, images_a_class: int) -> tuple[int, int, int]:
    """Images to train on, images to test, classes; as if all classes were of one size."""
    mine, size = known.transfer[name], known.sizes.sets[name]
    classes = size.classes - len(mine["leave_out"])
    left = max(1, (size.train + size.val) // size.classes - images_a_class)
    return classes * images_a_class, classes * min(mine["tested"], left), classes


def _fit(
    known: Known, layer: str, classifier: str, train: int, test: int, classes: int
) -> Demand:  # fmt: skip
    """One classifier, for each strength on each part of the images and then on all of them."""
    numbers = feature_numbers(known.nets[known.transfer["network"]], layer)
    products = 0.0
    if numbers > train:  # projected onto the span of the training images, by their Gram matrix
        products = 2.0 * train * (train + test) * numbers + train**3 / 3 + train**2 * test
    coordinates = min(numbers, train)
    fits = PARTS * len(known.transfer["strengths"][classifier]) + 1
    # scores from weights, and the gradient from scores
    step = 2 * 2.0 * train * coordinates * classes
    return Demand(
        products=products,
        fits=fits * EVALUATIONS * step,
        evaluations=fits * EVALUATIONS,
        memory=FLOAT * (train + test) * (coordinates + (train if products else 0)),
    )


def _scratch(known: Known, name: str) -> Iterator[Retraining]:
    mine, scratch = known.transfer[name], known.transfer["scratch"]
    for images_a_class in mine["scratch"]["images_a_class"]:
        train, test, _ = _fold(known, name, images_a_class)
        batch = min(scratch["batch"], train)
        steps = ceil(scratch["steps"] * batch / train) * train // batch
        for _ in range(mine["scratch"]["folds"]):
            yield Retraining(
                known.transfer["network"],
                scratch["epochs"] * steps * batch,
                scratch["epochs"] * test,
            )
