"""What folds gave, in MLflow: a run a set, with a nested run for each fold.

The set's run has the means over folds as metrics whose step is the number of training images of a
class, so that its chart is figure 9.
"""

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from zfrepro.tracking.elements import title

if TYPE_CHECKING:
    from mlflow.entities import Run

    from zfrepro.tracking.store import Store

FOLD = "fold"  # the tag of a fold's run
LARGEST = 10_000  # folds of a file
MEASURED = "accuracy"  # the column that is the fold's result; the others say what it is of
SIZE = "images_per_class"

Row = Mapping[str, str]


@dataclass(frozen=True)
class Folds:
    """A file of folds, one a line: `name` is the set, or the study of several ("probe")."""

    name: str
    path: Path

    @cached_property
    def rows(self) -> list[Row]:
        with self.path.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    @property
    def means(self) -> Iterator[tuple[str, int, float]]:
        """What it is of (`set/arm/classifier/layer`), training images of a class, and the mean."""
        groups: dict[tuple[str, int], list[float]] = {}
        for row in self.rows:
            words = [row[key] for key in ("set", "arm", "classifier", "layer") if row[key]]
            words = words[1:] if words[0] == self.name else words
            size = int(float(row[SIZE] or 0))
            groups.setdefault(("/".join(words), size), []).append(float(row[MEASURED]))
        yield from ((what, size, mean(values)) for (what, size), values in groups.items())


def file_folds(store: "Store", folds: Folds) -> tuple[str, str]:
    """Files the folds that the store has not; returns the set's MLflow run and what was done."""
    about = (
        f"{title(folds.name)}: a run for each state of the results, with one for each fold nested "
        "in it. Its charts are means over folds, against training images of a class."
    )
    experiment_id = store.experiment(folds.name, about)

    def add(run: "Run") -> None:
        _add(store, experiment_id, run, folds)

    return store.file(experiment_id, folds.digest, folds.name, add)


def _add(store: "Store", experiment_id: str, run: "Run", folds: Folds) -> None:
    from mlflow.entities import Metric, ViewType  # noqa: PLC0415  seconds to import

    run_id, when = str(run.info.run_id), run.info.start_time
    of_folds = "tags.`mlflow.parentRunId` = '" + run_id + "'"
    filed = store.client.search_runs([experiment_id], of_folds, ViewType.ALL, LARGEST)
    known = {each.data.tags[FOLD]: each for each in filed}
    for row in folds.rows:
        _file_fold(store, experiment_id, run_id, row, known)
    means = [Metric(what, value, when, size) for what, size, value in folds.means]
    store.client.log_batch(run_id, metrics=means)


def _file_fold(
    store: "Store", experiment_id: str, parent: str, row: Row, known: Mapping[str, "Run"]
) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    facts = {key: value for key, value in row.items() if key != MEASURED and value}
    words = [facts[key] for key in ("set", "arm", "classifier", "layer", SIZE) if key in facts]
    name, client = f"{' '.join(words)} fold {facts['fold']}", store.client
    tags = {"mlflow.parentRunId": parent, FOLD: name}
    run = known.get(name) or client.create_run(experiment_id, tags=tags, run_name=name)
    if store.restored(run).info.status == "FINISHED":
        return
    run_id, value = str(run.info.run_id), float(row[MEASURED])
    metrics = [Metric(MEASURED, value, run.info.start_time, 0)] if math.isfinite(value) else []
    params = [Param(fact, facts[fact]) for fact in facts if fact not in run.data.params]
    client.log_batch(run_id, metrics, params)
    client.set_terminated(run_id, "FINISHED")
