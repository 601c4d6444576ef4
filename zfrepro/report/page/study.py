"""What the stages left under `results/`, as the page reads it: files, and which stage made them."""

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Row = dict[str, str]


class ReportError(ValueError):
    """A file that the report is made of is not what a stage writes; the message names it."""


@dataclass(frozen=True)
class Run:
    """A trained network, by its experiment's name."""

    name: str
    recipe: Mapping[str, Any]  # run.json
    config: str  # the resolved configuration, YAML
    epochs: int


class Study:
    """The folder `results/` of a checkout; whatever is missing reads as None or as nothing.

    Args:
        folder: `results/`; `dvc.lock` lies beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, name: str) -> str | None:
        """A file's text, or None where no stage has written it."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def json(self, name: str) -> Any:
        """A file's content, or None.

        Raises:
            ReportError: it is no JSON.
        """
        text = self.text(name)
        try:
            return None if text is None else json.loads(text)
        except json.JSONDecodeError as error:
            raise ReportError(f"{self.folder / name} is no JSON: {error}") from error

    def rows(self, name: str) -> list[Row]:
        """A CSV file's lines by column, as text; none where there is no file."""
        text = self.text(name)
        return [] if text is None else list(csv.DictReader(text.splitlines()))

    def yaml(self, name: str) -> Any:
        """A configuration's content, or None.

        Raises:
            ReportError: it is no YAML.
        """
        return self._yaml(self.folder / name)

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The trained networks, sorted by name."""
        names = sorted(path.parent.name for path in self.folder.glob("runs/*/run.json"))
        return {name: self._run(name) for name in names}

    @cached_property
    def experiments(self) -> dict[str, str]:
        """Experiment by fingerprint; the first by name where several share their network."""
        return {run.recipe["fingerprint"]: name for name, run in reversed(self.runs.items())}

    @cached_property
    def filed(self) -> dict[str, str]:
        """MLflow's run by experiment, figure or set; none where tracking is off."""
        published = self.json("published.json") or {}
        return {name: run["run_id"] for name, run in published.items()}

    @cached_property
    def locked(self) -> dict[str, str]:
        """For each stage of dvc.lock 16 hexadecimal digits of what it says of the stage."""
        stages = (self._yaml(self.folder.parent / "dvc.lock") or {}).get("stages", {})
        return {name: _digest(stage) for name, stage in stages.items()}

    def _run(self, name: str) -> Run:
        recipe = self.json(f"runs/{name}/run.json")
        metrics = self.json(f"runs/{name}/metrics.json") or {}
        config = self.text(f"runs/{name}/config.yaml") or ""
        return Run(name, recipe, config, metrics.get("epochs", 0))

    def _yaml(self, path: Path) -> Any:
        try:
            return YAML(typ="safe").load(path) if path.is_file() else None
        except YAMLError as error:
            raise ReportError(f"{path} is no YAML: {error}") from error


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
