"""Keys of conf/analysis.yaml: what the figures show."""

from dataclasses import dataclass
from typing import Any

from zfrepro.schema.keys import flag, key, section
from zfrepro.schema.training import SEED

LAYER: dict[str, Any] = {"pattern": r"(conv|fc)\d+", "words": "a layer, conv1 or fc6 for example"}
LAYERS: dict[str, Any] = {
    "pattern": r"(conv|fc)\d+",
    "words": "a list of layers, conv1 or fc6 for example",
}
OTHERS: dict[str, Any] = {"option_of": "experiment"}


@dataclass
class Pictures:
    dpi: int = key("dots an inch", least=30, most=2400)
    formats: list[str] = key("of each figure's files", one_of=("png", "pdf", "svg"))


@dataclass
class Overlap:
    side: int = key("pixels of the thumbnails that are compared", least=4, most=256)
    candidate: float = key(
        "least correlation of whole images to be looked at closely", least=-1, most=1
    )
    threshold: float = key("least correlation, once aligned, of the same image", least=-1, most=1)


@dataclass
class Looked:
    """A network and the images of the source that it is shown."""

    network: str = key("an experiment", **OTHERS)
    split: str = key("of the source", one_of=("train", "val"))
    seed: int = key("of what is drawn at random", **SEED)


@dataclass
class Sample(Looked):
    images: int = key(
        "at most a quarter of the split's, spread over the classes", least=1, most=10**6
    )


@dataclass
class Features(Looked):
    maps: dict[str, int] = key("shown of each layer", least=1, most=10_000)
    labels: Any = flag("each map's number and highest peak above it")


@dataclass
class Atlas:
    network: str = key("that of figure 2", **OTHERS)
    split: str = key("that of figure 2", one_of=("train", "val"))
    layers: list[str] = key("all of whose maps are drawn; none: no atlas", **LAYERS)


@dataclass
class Evolution(Looked):
    others: list[str] = key("experiments, for the spread", **OTHERS)
    layers: list[str] = key("that are followed", **LAYERS)
    maps: int = key("shown of each layer", least=1, most=10_000)


@dataclass
class Bands:
    low: float = key("cycles a pixel: what lies below is of low frequency", above=0, most=0.5)
    high: float = key("what lies above is of high frequency", above=0, most=0.5)


@dataclass
class Architecture:
    unclipped: list[str] = key("networks whose filters are never clipped", **OTHERS)
    alexnet: list[str] = key("the first is drawn, all are measured", **OTHERS)
    zfnet: list[str] = key("the same", **OTHERS)
    split: str = key("of the source", one_of=("train", "val"))
    bands: Bands = section("of spatial frequency", Bands)
    maps: int = key("shown of layer 2", least=1, most=10_000)


@dataclass
class Small:
    translation: int = key("pixels of 224", least=0, most=224)
    scale: float = key("beyond 1", least=0, most=10)


@dataclass
class Invariance(Sample):
    others: list[str] = key("experiments, for the spread", **OTHERS)
    layers: list[str] = key("compared under the transformations", **LAYERS)
    translation: list[int] = key("downwards: first, last, step", least=-224, most=224, length=3)
    scale: list[float] = key("first, last, step", above=0, most=10, length=3)
    rotation: list[int] = key(
        "degrees, anticlockwise: first, last, step", least=-360, most=360, length=3
    )
    small: Small = section("what the report counts as small", Small)


@dataclass
class Square:
    side: int = key("pixels of a crop of 224", least=1, most=224)
    value: int = key("grey", least=0, most=255)


@dataclass
class Occlusion(Sample):
    others: list[str] = key("experiments, for the spread", **OTHERS)
    shown: int = key("of the images that the network gets right", least=1, most=100)
    layer: str = key("whose strongest map is drawn", **LAYER)
    square: Square = section("that covers a part of the image", Square)
    stride: int = key("of the square, in pixels of 224", least=1, most=224)
    scored_stride: int = key("the same where only the score is wanted", least=1, most=224)


@dataclass
class Correspondence(Sample):
    others: list[str] = key("experiments, for the spread", **OTHERS)
    shown: int = key("images of the figure", least=1, most=100)
    layers: list[str] = key("whose features are compared", **LAYERS)
    square: Square = section("that covers a part of the face", Square)
    draws: int = key("random places of each image", least=1, most=10_000)


@dataclass
class Analysis:
    """What the figures show."""

    pictures: Pictures = section("the figures' files", Pictures)
    overlap: Overlap = section("of the source's training set and the transfer sets", Overlap)
    features: Features = section("figure 2", Features)
    atlas: Atlas = section("figure 2 of every map", Atlas)
    evolution: Evolution = section("figure 4", Evolution)
    architecture: Architecture = section("figure 6", Architecture)
    invariance: Invariance = section("figure 5", Invariance)
    occlusion: Occlusion = section("figure 7", Occlusion)
    correspondence: Correspondence = section("figure 8 and table 1", Correspondence)
