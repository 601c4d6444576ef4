"""The atlas, as the rest of the project knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import PROJECTION, Config, Element, Passes
from zfrepro.elements.settings import EXPERIMENTS, LAYERS
from zfrepro.keys import key

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known


@dataclass
class Settings:
    network: str = key("that of figure 2", **EXPERIMENTS)
    split: str = key("that of figure 2", one_of=("train", "val"))
    layers: list[str] = key("all of whose maps are drawn; none: no atlas", **LAYERS)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """The strongest images of every map projected."""
    from zfrepro.interp.top_activations import COUNT  # noqa: PLC0415  imports torch

    rows = known.nets[settings["network"]].rows
    maps = sum(
        row.outputs[0] for row in rows if row.kind == "conv" and row.layer in settings["layers"]
    )
    yield Passes(settings["network"], PROJECTION * COUNT * maps, settings["layers"])


ELEMENT = Element(
    stage="atlas",
    figure="atlas",
    beside=True,
    title="Every map of every layer",
    settings=Settings,
    passes=passes,
    reads=("zfrepro/elements/atlas/templates", "results/features"),
)
