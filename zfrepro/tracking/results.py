"""Figures and tables in MLflow: a run for each state of a result's folder.

A folder is `results/figures/figure<N>/` or the like. Its pictures and tables become artifacts,
`measures.json` metrics, `recipe.json` params and tags, `report.md` the run's description, and the
pictures in `series/<key>/epoch-<number>.png` image series, which the UI shows with a slider.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro.tracking.record import Config, RecordError, Row

if TYPE_CHECKING:
    from zfrepro.tracking.store import Store

RECIPE, MEASURES, REPORT, SERIES = "recipe.json", "measures.json", "report.md", "series"
COMPLETE = "complete"  # the tag of a run that has all that its folder holds
SHORT = 32  # letters of a param
EPOCH = re.compile(r"epoch-(\d+)\.png")
LOGGED = re.compile(r"images/(.+?)[+%]step[+%](\d+)[+%]")  # how MLflow names a series' files


@dataclass(frozen=True)
class Result:
    """A folder that a stage wrote: `element` is what the paper calls it ("figure4")."""

    element: str
    folder: Path
    recipe: Config

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """Raises RecordError where the folder has no recipe."""
        path = folder / RECIPE
        if not path.is_file():
            raise RecordError(f"{folder} is no finished result: it has no {RECIPE}")
        return cls(folder.name, folder, json.loads(path.read_text(encoding="utf-8")))

    @cached_property
    def files(self) -> list[Path]:
        """Relative to the folder, sorted."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder) for path in paths)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of all the folder holds."""
        whole = hashlib.sha256()
        for path in self.files:
            content = hashlib.sha256((self.folder / path).read_bytes()).hexdigest()
            whole.update(f"{path.as_posix()} {content}\n".encode())
        return whole.hexdigest()[:16]

    @property
    def measures(self) -> Row:
        path = self.folder / MEASURES
        found: Row = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    @property
    def note(self) -> str:
        path = self.folder / REPORT
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def params(self) -> dict[str, str]:
        """The recipe's short settings: MLflow prints all params above each picture of a series."""
        return {key: str(value) for key, value in self.recipe.items() if _is_short(value)}

    @property
    def tags(self) -> dict[str, str]:
        """The rest of the recipe, flat: `maps.conv1`, and so on."""
        return dict(_flat({k: v for k, v in self.recipe.items() if not _is_short(v)}))

    @property
    def series(self) -> list[tuple[str, int, Path]]:
        """Key, epoch and picture."""
        found = []
        for path in self.files:
            if path.parts[0] == SERIES and (match := EPOCH.fullmatch(path.name)):
                key = "/".join(path.parts[1:-1])
                found.append((key, int(match[1]), self.folder / path))
        return found


def _is_short(value: object) -> bool:
    return not isinstance(value, dict | list) and len(str(value)) <= SHORT


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def file_result(store: "Store", result: Result) -> tuple[str, str]:
    """Files a result unless the store has it whole; returns its MLflow run and what was done.

    The tag `complete` comes last: a run without it is taken up again.
    """
    about = f"The paper's {result.element}, a run for each state of its files."
    experiment_id = store.experiment(result.element, {"mlflow.note.content": about})
    run, created = store.run(experiment_id, {"fingerprint": result.digest}, result.element)
    run_id = str(run.info.run_id)
    if run.data.tags.get(COMPLETE) == "true":
        return run_id, "unchanged"
    with store.alone():
        _add(store, run_id, result)
        store.client.set_tag(run_id, COMPLETE, "true")
        store.client.set_terminated(run_id, "FINISHED")
    return run_id, "created" if created else "completed"


def _add(store: "Store", run_id: str, result: Result) -> None:
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  seconds to import
    from PIL import Image  # noqa: PLC0415

    client = store.client
    known = client.get_run(run_id)
    when = known.info.start_time
    metrics = [
        Metric(key, float(value), when, 0)
        for key, value in result.measures.items()
        if math.isfinite(value)
    ]
    params = [
        Param(key, value) for key, value in result.params.items() if key not in known.data.params
    ]
    tags = [RunTag(key, value) for key, value in result.tags.items()]
    client.log_batch(run_id, metrics, params, tags)
    if result.note:
        client.set_tag(run_id, "mlflow.note.content", result.note)
    logged = {
        (match[1].replace("~", "/"), int(match[2]))
        for file in client.list_artifacts(run_id, "images")
        if (match := LOGGED.match(file.path))
    }
    for key, step, path in result.series:
        if (key, step) not in logged:
            with Image.open(path) as picture:
                client.log_image(run_id, picture, key=key, step=step)
    for path in result.files:
        if path.parts[0] != SERIES:
            folder = path.parent.as_posix()
            client.log_artifact(
                run_id, str(result.folder / path), None if folder == "." else folder
            )
