"""The folder `results/`: what the stages left there, as all that comes after them reads it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from zfrepro.outcome import MEASURES, Found, UntestedError, read_measures

if TYPE_CHECKING:
    import pandas as pd

RECIPE = "run.json"

Row = dict[str, str]


class ResultsError(ValueError):
    """A file that the report is made of is not what a stage writes; the message names it."""


@dataclass(frozen=True)
class Run:
    """A trained network, by its experiment's name."""

    name: str
    recipe: Mapping[str, Any]
    config: str  # the resolved configuration, YAML
    epochs: int


def read_recipe(run: Path) -> Mapping[str, Any]:
    """What a training wrote about itself into its folder: fingerprint, seed, images and so on.

    Raises:
        FileNotFoundError: the folder is not that of a finished training.
        ResultsError: the file is damaged.
    """
    path = run / RECIPE
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultsError(f"{path} is no JSON: {error}") from error
    return found


def steps_an_epoch(recipe: Mapping[str, Any], batch: int) -> int:
    """Of a training, by what `read_recipe` reads: an incomplete last batch is left out."""
    images = recipe["data"]["splits"]["train"]["images"] - recipe["left_out"].get("train", 0)
    return int(images // batch)


class Results:
    """The folder `results/` of a checkout; whatever is missing reads as None or as nothing.

    Args:
        folder: `results/`; `dvc.lock` lies beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, network: str) -> Mapping[str, Any]:
        """What the training of an experiment wrote about itself, as `read_recipe`.

        Raises:
            FileNotFoundError: it has not been trained.
        """
        try:
            return read_recipe(self.folder / "runs" / network)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"there is no network {network}: `dvc repro train@{network}`"
            ) from None

    def measures(self, folder: str) -> dict[str, Found]:
        """What a stage has measured, by name; nothing where it has not run.

        Raises:
            ResultsError: the file is not what a stage writes.
        """
        path = self.folder / folder / MEASURES
        try:
            return read_measures(path) if path.is_file() else {}
        except ValueError as error:
            raise ResultsError(str(error)) from error

    def file(self, name: str) -> Path:
        """Where a file is.

        Raises:
            UntestedError: it is not there.
        """
        path = self.folder / name
        if not path.is_file():
            raise UntestedError(f"there is no results/{name}")
        return path

    def table(self, name: str) -> pd.DataFrame:
        """A CSV file.

        Raises:
            UntestedError: there is none, or no line in it.
        """
        import pandas as pd  # noqa: PLC0415  half a second, which the page does without

        table = pd.read_csv(self.file(name))
        if table.empty:
            raise UntestedError(f"results/{name} has no line: this profile has no such set")
        return table

    def settings(self, name: str) -> Mapping[str, Any]:
        """A resolved configuration of `configs/`.

        Raises:
            UntestedError: there is none.
        """
        found: Mapping[str, Any] = self._yaml(self.file(f"configs/{name}.yaml"))
        return found

    def text(self, name: str) -> str | None:
        """A file's text, or None where no stage has written it."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def json(self, name: str) -> Any:
        """A file's content, or None.

        Raises:
            ResultsError: it is no JSON.
        """
        text = self.text(name)
        try:
            return None if text is None else json.loads(text)
        except json.JSONDecodeError as error:
            raise ResultsError(f"{self.folder / name} is no JSON: {error}") from error

    def rows(self, name: str) -> list[Row]:
        """A CSV file's lines by column, as text; none where there is no file."""
        text = self.text(name)
        return [] if text is None else list(csv.DictReader(text.splitlines()))

    def yaml(self, name: str) -> Any:
        """A configuration's content, or None.

        Raises:
            ResultsError: it is no YAML.
        """
        return self._yaml(self.folder / name)

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The trained networks, sorted by name."""
        names = sorted(path.parent.name for path in self.folder.glob(f"runs/*/{RECIPE}"))
        return {name: self._run(name) for name in names}

    @cached_property
    def experiments(self) -> dict[str, str]:
        """Experiment by fingerprint; the first by name where several share their network."""
        return {run.recipe["fingerprint"]: name for name, run in reversed(self.runs.items())}

    @cached_property
    def locked(self) -> dict[str, str]:
        """For each stage of dvc.lock 16 hexadecimal digits of what it says of the stage."""
        stages = (self._yaml(self.folder.parent / "dvc.lock") or {}).get("stages", {})
        return {name: _digest(stage) for name, stage in stages.items()}

    def _run(self, name: str) -> Run:
        recipe = self.run(name)
        metrics = self.json(f"runs/{name}/metrics.json") or {}
        config = self.text(f"runs/{name}/config.yaml") or ""
        return Run(name, recipe, config, metrics.get("epochs", 0))

    def _yaml(self, path: Path) -> Any:
        try:
            return YAML(typ="safe").load(path) if path.is_file() else None
        except YAMLError as error:
            raise ResultsError(f"{path} is no YAML: {error}") from error


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
