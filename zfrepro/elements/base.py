"""What an element of the paper is to the pipeline, the page, MLflow and the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from zfrepro.cost.demands import Known
    from zfrepro.elements.context import Context
    from zfrepro.outcome import Outcome

Config = Mapping[str, Any]


PROJECTION = 2  # passes: the way up through the window and the way down


class Passes(NamedTuple):
    """Images that an experiment's network sees, as far as the last of `layers`; if none, whole."""

    network: str
    images: float
    layers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A figure as the page and MLflow show it.

    Args:
        figure: its folder below `results/figures/`, "figure7".
        title: what it shows, in a few words.
        reading: what one sees in its pictures, for who has not read the paper.
        stage: of `dvc.yaml`, which draws it.
    """

    figure: str
    title: str
    reading: str = ""
    stage: str

    @property
    def label(self) -> str:
        """`Figure 7`, of figure7."""
        return re.sub(r"^(\D+)(\d+)$", r"\1 \2", self.figure).capitalize()


@dataclass(frozen=True, kw_only=True)
class Element(Exhibit):
    """A figure that is measured on trained networks.

    Args:
        stage: also the name of its folder in `zfrepro/elements/`, and of its section in
            `conf/analysis.yaml`.
        settings: the dataclass of that section.
        passes: of its settings and the study's sizes: what the networks see, for the plan.
        reads, writes: what its stage reads and writes beside the prepared images, the networks that
            its settings name, and its own folder.
        plots: pictures that `dvc plots` shows.
        beside: its folder stands beside `results/figures/`.
        shared_out: what its networks see is shared out to the GPUs (`trainer.together: gpus`).
    """

    settings: type
    passes: Callable[[Config, Known], Iterable[Passes]]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    beside: bool = False
    shared_out: bool = False

    @property
    def folder(self) -> str:
        """Where its pictures, measures and report lie, below `results/`."""
        return self.figure if self.beside else f"figures/{self.figure}"

    @property
    def modules(self) -> tuple[str, ...]:
        """Whose code makes its results."""
        return f"{__package__}.{self.stage}.element", f"{__package__}.{self.stage}.stage"

    def run(self, context: Context) -> Outcome:
        """Measures and draws.

        Raises:
            OSError, ValueError: a network or the prepared images are missing or do not fit.
        """
        found: Outcome = import_module(f"{__package__}.{self.stage}.stage").run(context)
        return found


def named_networks(settings: Config, experiments: Iterable[str]) -> list[str]:
    """The experiments that settings name, in their order."""
    text = json.dumps(settings)
    places = {name: text.find(f'"{name}"') for name in experiments}
    return sorted((name for name, place in places.items() if place >= 0), key=lambda n: places[n])
