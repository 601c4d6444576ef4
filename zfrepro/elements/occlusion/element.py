"""Figure 7, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import Config, Element, Passes
from zfrepro.elements.settings import LAYER, OfSample, Square
from zfrepro.keys import key, section

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known

RERUN = 0.31  # of a pass, for a place of the square: `make bench`, "ours / whole images"


@dataclass
class Settings(OfSample):
    shown: int = key("of the images that the network gets right", least=1, most=100)
    layer: str = key("whose strongest map is drawn", **LAYER)
    square: Square = section("that covers a part of the image", Square)
    stride: int = key("of the square, in pixels of 224", least=1, most=224)
    scored_stride: int = key("the same where only the score is wanted", least=1, most=224)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """Some images with the square in all places; finer for those that are shown."""
    from zfrepro.elements.occlusion.measure import Square as Places  # noqa: PLC0415  imports torch

    network = settings["network"]
    crop = known.crop(network)
    shown, scored = (
        RERUN * len(Places.of(crop, stride=settings[key], **settings["square"]).starts(crop)) ** 2
        for key in ("stride", "scored_stride")
    )
    for name in (network, *settings["others"]):
        yield Passes(name, known.sample(settings) * (1 + scored))
    yield Passes(network, settings["shown"] * shown)


ELEMENT = Element(
    stage="occlusion",
    figure="figure7",
    title="What a grey square hides from the network",
    reading="Each place of a map is a place of the square's centre. Dark in the probability means: "
    "with the square there, the network no longer sees the class.",
    settings=Settings,
    passes=passes,
)
