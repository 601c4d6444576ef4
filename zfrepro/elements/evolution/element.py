"""Figure 4, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import PROJECTION, Config, Element, Passes
from zfrepro.elements.settings import EXPERIMENTS, LAYERS, SEEDS, OfNetwork
from zfrepro.keys import key

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known

FIXED = 32  # maps of a layer whose projections are compared
COMPARED = 128  # images whose features are; a layer's are held at once: 0.6 GB at the paper's size


@dataclass
class Settings(OfNetwork):
    others: list[str] = key("experiments, for the spread", SEEDS, **EXPERIMENTS)
    layers: list[str] = key("that are followed", **LAYERS)
    maps: int = key("shown of each layer", least=1, most=10_000)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """All images, and some twice, for each snapshot of each network."""
    images, layers = known.sizes.split(settings["split"]), settings["layers"]
    for network in (settings["network"], *settings["others"]):
        snapshots = len(known.networks[network]["training"]["snapshots"])
        projected = PROJECTION * FIXED * len(layers) * (snapshots + 1)
        yield Passes(network, snapshots * (images + COMPARED + projected), layers)


ELEMENT = Element(
    stage="evolution",
    figure="figure4",
    title="How features come about, epoch by epoch",
    reading="Of each map, by epoch, the projection of its strongest activation over all images. "
    "A jump is another image that has become the strongest.",
    settings=Settings,
    passes=passes,
    shared_out=True,
)
