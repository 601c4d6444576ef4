"""Reads what the stages before have left, and keeps which files that took."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import pandas as pd

from zfrepro import config
from zfrepro.report.verdicts import UntestedError


class Results:
    """The folder `results/` of a profile.

    Args:
        root: that folder.
        profile: whose results count; those of a network of another are refused.
    """

    def __init__(self, root: Path, profile: str) -> None:
        self._root, self.profile = root, profile
        self._read: dict[str, None] = {}

    def anew(self) -> Self:
        """The same folder, of which nothing has been read yet."""
        return type(self)(self._root, self.profile)

    @property
    def sources(self) -> tuple[str, ...]:
        """What has been read or looked for, from the project's root."""
        return tuple(self._read)

    def path(self, name: str) -> Path:
        """Of a file that is there.

        Raises:
            UntestedError: it is not.
        """
        self._read[f"results/{name}"] = None
        path = self._root / name
        if not path.is_file():
            raise UntestedError(f"there is no results/{name}")
        return path

    def table(self, name: str) -> pd.DataFrame:
        """A CSV file.

        Raises:
            UntestedError: there is none, or no line in it.
        """
        table = pd.read_csv(self.path(name))
        if table.empty:
            raise UntestedError(
                f"results/{name} has no line: profile {self.profile} has no such set"
            )
        return table

    def numbers(self, name: str, keys: Iterable[str]) -> list[float]:
        """Some values of a JSON file.

        Raises:
            UntestedError: there is none, or one of the keys is missing.
        """
        found = json.loads(self.path(name).read_text(encoding="utf-8"))
        missing = [key for key in keys if key not in found]
        if missing:
            raise UntestedError(f"results/{name} has no {missing[0]}")
        return [float(found[key]) for key in keys]

    def recipe(self, figure: str) -> dict[str, Any]:
        """What a figure was made from.

        Raises:
            UntestedError: it has not been made.
        """
        path = self._root / "figures" / figure / "recipe.json"
        if not path.is_file():
            raise UntestedError(f"there is no results/figures/{figure}/recipe.json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def settings(self, name: str) -> config.Config:
        """A resolved configuration of `configs/`.

        Raises:
            UntestedError: there is none.
        """
        path = self._root / "configs" / f"{name}.yaml"
        if not path.is_file():
            raise UntestedError(f"there is no results/configs/{name}.yaml")
        return config.load(path)

    def images(self, network: str, split: str) -> int:
        """How many images the split had that the network was trained with."""
        return int(self._recipe(network)["data"]["splits"][split]["images"])

    def seed(self, network: str) -> int:
        """From which a network was trained.

        Raises:
            UntestedError: there is no such network, or it is of another profile.
        """
        return int(self._recipe(network)["seed"])

    def _recipe(self, network: str) -> dict[str, Any]:
        path = self._root / "runs" / network / "run.json"
        if not path.is_file():
            raise UntestedError(f"there is no network {network}: `dvc repro train@{network}`")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["profile"] != self.profile:
            raise UntestedError(
                f"{network} is of profile {found['profile']}, not {self.profile}: "
                f"`dvc repro train@{network}`"
            )
        return found
