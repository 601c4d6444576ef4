"""Figure 2, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zfrepro.elements.base import PROJECTION, Config, Element, Passes
from zfrepro.elements.settings import OfNetwork
from zfrepro.keys import flag, key

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known


@dataclass
class Settings(OfNetwork):
    maps: dict[str, int] = key("shown of each layer", least=1, most=10_000)
    strongest_by: str = key(
        "what makes an image strong: its map's largest activation or their sum", "peak",
        one_of=("peak", "sum"),
    )  # fmt: skip
    labels: Any = flag("each map's number and highest peak above it")


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """All images once, and the strongest of some maps projected; again before its training."""
    from zfrepro.interp.top_activations import COUNT  # noqa: PLC0415  imports torch

    shown = COUNT * sum(settings["maps"].values())
    yield Passes(settings["network"], 2 * known.sizes.split(settings["split"]))
    yield Passes(settings["network"], 2 * PROJECTION * shown, list(settings["maps"]))


ELEMENT = Element(
    stage="features",
    figure="figure2",
    title="What each layer's maps look for",
    reading="A map is what one filter makes of an image: a number for each place. Its peak is the "
    "largest. On the left, what a peak comes from in the pixels (the projection: grey is no "
    "difference, its largest values are black and white); on the right the same parts of the nine "
    "images whose peaks are highest. Shown is what holds 95 % of the energy.",
    settings=Settings,
    passes=passes,
    writes=("features",),
    shared_out=True,
)
