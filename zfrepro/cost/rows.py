"""The experiments to plan, each with its configuration and its net."""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zfrepro.cost.counts import Net, Work
from zfrepro.data.sources.published import Size


@dataclass(frozen=True)
class Row:
    """One experiment: its resolved configuration and its net."""

    name: str
    config: Mapping[str, Any]
    net: Net

    @property
    def family(self) -> str:
        """Nets of a family differ in some of their layers."""
        return str(self.config["model"]["name"])

    @property
    def likeness(self) -> Hashable:
        """Equal for rows that train at the same speed: seeds and names of layers are no matter."""
        return self.net.architecture, json.dumps(self.config["training"], sort_keys=True)

    def work(self, size: Size) -> Work:
        training = self.config["training"]
        return Work(size, training["epochs"], training["batch"])


def families(rows: Sequence[Row]) -> dict[str, Row]:
    """The first row of each family, by its name."""
    return {row.family: row for row in reversed(rows)}
