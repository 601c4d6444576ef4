"""Figures, tables and claims in MLflow: a run for each state of a result's files.

Their pictures and tables become artifacts, and pictures stand in the run's description too. Of a
figure's folder `measures.json` becomes metrics, `recipe.json` params and tags, `report.md` the
description, and the pictures in `series/<key>/epoch-<number>.png` image series, which the UI shows
with a slider. A slider starts at 0, before the first epoch: there stands `<key>.png`, the figure.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro.outcome import MEASURES, flat, read_measures
from zfrepro.tracking import elements, previews
from zfrepro.tracking.description import spaced
from zfrepro.tracking.record import Config, RecordError, Row

if TYPE_CHECKING:
    from mlflow.entities import Run

    from zfrepro.tracking.store import Store

RECIPE, REPORT, SERIES = "recipe.json", "report.md", "series"
SHORT = 32  # letters of a param
LONGEST = 8000  # letters of a description: what is beyond, MLflow cuts off
FIRST = "by_epoch"  # the section of MLflow's page that holds the series: by name before the others
SLIDERS = "Tab *Model metrics* has a slider through the epochs; its place 0 is the whole figure."
EPOCH = re.compile(r"epoch-(\d+)\.png")
LOGGED = re.compile(r"images/(.+?)[+%]step[+%](\d+)[+%]")  # how MLflow names a series' files


@dataclass(frozen=True)
class Result:
    """What a stage wrote of one thing that the paper shows.

    Args:
        element: what the paper calls it ("figure4"); names the MLflow experiment.
        files: relative to `folder`, sorted.
        note: Markdown.
        measures: become metrics.
    """

    element: str
    folder: Path
    files: tuple[Path, ...]
    note: str = ""
    measures: Row = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """A figure's. Raises RecordError where the folder has no recipe."""
        if not (folder / RECIPE).is_file():
            raise RecordError(f"{folder} is not a finished result: it has no {RECIPE}")
        recipe: Config = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
        measures, report = folder / MEASURES, folder / REPORT
        # MLflow prints all params above each picture of a series: the long ones become tags
        short = {key: str(value) for key, value in recipe.items() if _is_short(value)}
        return cls(
            folder.name,
            folder,
            tuple(sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())),
            note=report.read_text(encoding="utf-8") if report.is_file() else "",
            measures=dict(_flat_measures(measures)) if measures.is_file() else {},
            params=short,
            tags=dict(_flat({key: recipe[key] for key in recipe if key not in short})),
        )

    @classmethod
    def of_table(cls, path: Path) -> "Result":
        """A table's, from its CSV file: the Markdown beside it is what the run says."""
        files = beside(path, (".csv", ".md", ".png"))
        note = path.with_suffix(".md").read_text("utf-8")
        return cls(path.stem, path.parent, files, note, dict(_measured(path)))

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of all its files."""
        whole = hashlib.sha256()
        for path in self.files:
            content = hashlib.sha256((self.folder / path).read_bytes()).hexdigest()
            whole.update(f"{path.as_posix()} {content}\n".encode())
        return whole.hexdigest()[:16]

    @property
    def series(self) -> list[tuple[str, int, Path]]:
        """Key, epoch and picture."""
        epochs = [
            (f"{FIRST}/{'/'.join(path.parts[1:-1])}", int(match[1]), self.folder / path)
            for path in self.files
            if path.parts[0] == SERIES and (match := EPOCH.fullmatch(path.name))
        ]
        wholes = {key: self.folder / f"{key.removeprefix(f'{FIRST}/')}.png" for key, _, _ in epochs}
        return [(key, 0, path) for key, path in wholes.items() if path.is_file()] + epochs

    def description(self, run_id: str) -> str:
        """The note with the pictures that the run `run_id` holds, as far as MLflow has room."""
        text = self.note.rstrip() + (f"\n\n{SLIDERS}" if self.series else "")
        text = spaced(text)[:LONGEST]
        for name in self.pictures:
            longer = f"{text}\n\n{previews.markdown(run_id, name)}".lstrip()
            text = longer if len(longer) <= LONGEST else text
        return text

    @property
    def artifacts(self) -> set[str]:
        """What stands at the top of its run's artifacts, once it is filed."""
        there = {path.parts[0] for path in self.files}
        there = {"images" if name == SERIES else name for name in there}
        return there | ({previews.FOLDER} if self.pictures else set())

    @property
    def pictures(self) -> list[str]:
        """Those that stand in the description."""
        return [path.name for path in self.files if path.suffix == ".png" and not path.parts[1:]]


def _flat_measures(path: Path) -> Iterator[tuple[str, float]]:
    """Each number, and the ends of its interval as `<name>_low` and `<name>_high`."""
    for name, interval in flat(read_measures(path)).items():
        ends = zip(("", "_low", "_high"), interval, strict=True)
        yield from ((f"{name}{end}", value) for end, value in ends if not math.isnan(value))


def beside(path: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    """The names of those of `path`'s kin that exist."""
    kin = (path.with_suffix(suffix) for suffix in suffixes)
    return tuple(Path(each.name) for each in kin if each.is_file())


def _measured(table: Path) -> Iterator[tuple[str, float]]:
    """Our numbers by row and column: those with an interval, in `<name>_low` and `<name>_high`.

    None of a table whose rows have fingerprints: they are runs, and have their numbers there.
    """
    with table.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            label = next(iter(row.values()))
            for column, cell in row.items():
                has_interval = f"{column.removesuffix('_mean')}_low" in row
                if cell and has_interval and "fingerprint" not in row:
                    yield f"{label}/{column}", float(cell)


def _is_short(value: object) -> bool:
    return not isinstance(value, dict | list) and len(str(value)) <= SHORT


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def file_result(store: "Store", result: Result) -> tuple[str, str]:
    """Files a result unless the store has it whole; returns its MLflow run and what was done."""
    about = (
        f"{elements.title(result.element)}. A run for each state of its files, the newest first."
    )
    experiment_id = store.experiment(elements.name(result.element), about)

    def add(run: "Run") -> None:
        _describe(store, run, result)
        _log_series(store, run, result)
        _log_files(store, run, result)

    return store.file(experiment_id, result.digest, result.element, add, result.artifacts)


def _describe(store: "Store", run: "Run", result: Result) -> None:
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  seconds to import

    run_id, when = str(run.info.run_id), run.info.start_time
    metrics = [
        Metric(key, float(value), when, 0)
        for key, value in result.measures.items()
        if math.isfinite(value)
    ]
    params = [Param(key, result.params[key]) for key in result.params if key not in run.data.params]
    tags = dict(result.tags)
    if text := result.description(run_id):
        tags["mlflow.note.content"] = text
    store.client.log_batch(run_id, metrics, params, [RunTag(*tag) for tag in tags.items()])


def _log_series(store: "Store", run: "Run", result: Result) -> None:
    from PIL import Image  # noqa: PLC0415

    run_id = str(run.info.run_id)
    if not result.series:
        return
    logged = {
        (match[1].replace("~", "/"), int(match[2]))
        for file in store.client.list_artifacts(run_id, "images")
        if (match := LOGGED.match(file.path))
    }
    for key, step, path in result.series:
        if (key, step) not in logged:
            with Image.open(path) as image:
                if step == 0:  # of print resolution, and an artifact as it is
                    image.thumbnail((previews.WIDTH, previews.HEIGHT))
                store.client.log_image(run_id, image, key=key, step=step)


def _log_files(store: "Store", run: "Run", result: Result) -> None:
    for path in result.files:
        if path.parts[0] != SERIES:
            place = None if path.parent == Path() else path.parent.as_posix()
            store.client.log_artifact(str(run.info.run_id), str(result.folder / path), place)
    pictures = [result.folder / name for name in result.pictures]
    previews.log(store.client, str(run.info.run_id), pictures)
