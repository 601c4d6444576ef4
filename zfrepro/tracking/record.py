"""A finished run as its folder tells it: everything that MLflow shows is read from these files."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from zfrepro.config import load
from zfrepro.results import RECIPE, read_recipe

Row = Mapping[str, float]
Config = Mapping[str, Any]

FILES = ("config.yaml", RECIPE, "epochs.csv", "metrics.json")
WEIGHTS = "weights.pt"


class RecordError(ValueError):
    """A run folder that is not one, or not whole."""


@dataclass(frozen=True)
class Record:
    """A run folder: `config` (resolved), `recipe`, `epochs` and final `metrics`."""

    folder: Path
    config: Config
    recipe: Config
    epochs: tuple[Row, ...]
    metrics: Row

    @classmethod
    def read(cls, folder: Path, config: Config | None = None) -> Self:
        """Reads a run folder. `config`, where given, is used instead of the folder's own: two
        experiments that ask for the same training share one folder.

        Raises:
            RecordError: a file is missing; names it.
        """
        missing = [name for name in (*FILES, WEIGHTS) if not (folder / name).is_file()]
        if missing:
            raise RecordError(f"{folder} is not a finished run: it has no {', '.join(missing)}")
        return cls(
            folder=folder.resolve(),
            config=config or load(folder / "config.yaml"),
            recipe=read_recipe(folder),
            epochs=tuple(_rows(folder / "epochs.csv")),
            metrics=json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
        )

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    @property
    def fingerprint(self) -> str:
        return str(self.recipe["fingerprint"])

    @property
    def started(self) -> int:
        return _milliseconds(self.recipe["started"])

    @property
    def finished(self) -> int:
        return _milliseconds(self.recipe["finished"])

    @cached_property
    def times(self) -> dict[int, int]:
        """When each epoch ended, in ms since 1970, as far as the files tell: from their lengths.

        A run that was killed and went on has a gap that no file knows of, so times are counted
        back from the end.
        """
        times, now = {}, float(self.finished)
        for row in reversed(self.epochs):
            times[int(row["epoch"])] = int(now)
            now -= 1000 * row.get("seconds", 0.0)
        return times


def _rows(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield {key: float(value) for key, value in row.items() if value}


def _milliseconds(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp() * 1000)
