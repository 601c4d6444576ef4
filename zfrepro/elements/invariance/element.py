"""Figure 5, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import Config, Element, Passes
from zfrepro.elements.settings import OUTPUTS, OfSample
from zfrepro.keys import key, section

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known


@dataclass
class Small:
    translation: int = key("pixels of 224", least=0, most=224)
    scale: float = key("beyond 1", least=0, most=10)


@dataclass
class Settings(OfSample):
    layers: list[str] = key("compared under the transformations", **OUTPUTS)
    translation: list[int] = key("downwards: first, last, step", least=-224, most=224, length=3)
    scale: list[float] = key("first, last, step", above=0, most=10, length=3)
    rotation: list[int] = key(
        "degrees, anticlockwise: first, last, step", least=-360, most=360, length=3
    )
    small: Small = section("what the report counts as small", Small)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """Some images in all positions, and again through the untrained network."""
    from zfrepro.elements.invariance.measure import KINDS, transformations  # noqa: PLC0415  torch

    wanted = {kind: settings[kind] for kind in KINDS}
    positions = 1 + len(transformations(known.crop(settings["network"]), **wanted))
    for name in (settings["network"], *settings["others"]):
        yield Passes(name, 2 * known.sample(settings) * positions)  # trained, and before that


ELEMENT = Element(
    stage="invariance",
    figure="figure5",
    title="How far features move with the image",
    reading="How far a layer's features are from those of the image as it is, in norms of the "
    "features; and the probability of the true class.",
    settings=Settings,
    passes=passes,
)
