"""Figure 6, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import Config, Element, Passes
from zfrepro.elements.settings import EXPERIMENTS
from zfrepro.keys import key, section

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known

DRAWN = ("unclipped", "alexnet", "zfnet")
KINDS = (*DRAWN, "stride2", "kernel7")
FIRST, SECOND = "conv1", "conv2"


@dataclass
class Bands:
    low: float = key("cycles a pixel: what lies below is of low frequency", above=0, most=0.5)
    high: float = key("what lies above is of high frequency", above=0, most=0.5)


@dataclass
class Settings:
    unclipped: list[str] = key("networks whose filters are never clipped", **EXPERIMENTS)
    alexnet: list[str] = key("the first is drawn, all are measured", **EXPERIMENTS)
    zfnet: list[str] = key("the same", **EXPERIMENTS)
    stride2: list[str] = key("AlexNet with ZFNet's stride alone", **EXPERIMENTS)
    kernel7: list[str] = key("AlexNet with ZFNet's kernel alone", **EXPERIMENTS)
    split: str = key("of the source", one_of=("train", "val"))
    bands: Bands = section("of spatial frequency", Bands)
    maps: int = key("shown of layer 2", least=1, most=10_000)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """All images once for each network, as far as layer 2."""
    images = known.sizes.split(settings["split"])
    for kind in KINDS:
        for network in settings[kind]:
            yield Passes(network, images, [SECOND])


ELEMENT = Element(
    stage="architecture",
    figure="figure6",
    title="First layers of ZFNet and AlexNet",
    reading="Filters of layer 1, and what maps of layer 2 look for. A grid in them is aliasing: "
    "the stride is larger than what the filter can tell apart.",
    settings=Settings,
    passes=passes,
    shared_out=True,
)
