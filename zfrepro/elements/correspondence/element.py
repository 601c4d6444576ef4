"""Table 1 and figure 8, as the rest of the project knows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.elements.base import Config, Element, Passes
from zfrepro.elements.settings import OUTPUTS, OfSample, Square
from zfrepro.keys import key, section

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known

LANDMARKS = 3  # of a face: two eyes and a nose


@dataclass
class Settings(OfSample):
    shown: int = key("images of the figure", least=1, most=100)
    layers: list[str] = key("whose features are compared", **OUTPUTS)
    square: Square = section("that covers a part of the face", Square)
    draws: int = key("random places of each image", least=1, most=10_000)


def passes(settings: Config, known: "Known") -> Iterator[Passes]:
    """Some faces, as they are and with each part, and as many random places, on them too, covered;
    and again through the untrained network."""
    for name in (settings["network"], *settings["others"]):
        yield Passes(name, 2 * known.sample(settings) * (1 + LANDMARKS + 2 * settings["draws"]))


ELEMENT = Element(
    stage="correspondence",
    figure="figure8",
    title="Masked parts of faces, and whether they mean the same in each",
    reading="The same part hidden in several faces, and random places beside it.",
    settings=Settings,
    passes=passes,
    reads=("zfrepro/paper_tables",),
    writes=("tables/table1.csv", "tables/table1.md"),
    plots=("tables/table1.png",),
)
