"""One run in the store. Every method adds what is missing and leaves what is there."""

import math
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from zfrepro.config import to_yaml
from zfrepro.tracking import description, previews, views
from zfrepro.tracking.elements import NOTE, title
from zfrepro.tracking.record import FILES, Config, Record, Row
from zfrepro.tracking.settings import Settings
from zfrepro.tracking.store import COMPLETE, Store, is_whole

NOT_METRICS = ("epoch", "seconds")
BATCH = 1000  # metrics in one call, MLflow's limit
CURVES = "learning_curves.png"
MODEL = "model"
EXPERIMENT_NOTE = (
    f": a run for each row. [{views.NAME}](#/experiments/{{id}}/runs?{views.QUERY}) (menu *Views*) "
    "has them side by side, in percent: `val/top1_ten_crops` is this run's, `paper/val_top1` the "
    "published one. The chart view shows the learning curves."
)


def start(settings: Settings, config: Config, fingerprint: str, manifest: Config) -> "Filed":
    """Files a training that begins, or goes on with the run of one that was stopped."""
    run = Filed.open(Store(settings), config, fingerprint)
    run.running()
    run.describe(config)
    run.note(config)
    run.log_dataset(config, manifest)
    run.log_config(config)
    if settings.system:
        run.watch_machine(settings.system)
    return run


def place(settings: Settings, record: Record) -> str:
    """Files a finished run, unless that has been done; says where it stands and how to see it."""
    store = Store(settings)
    run = Filed.open(store, record.config, record.fingerprint, record.started)
    run.complete(record)
    state = run.state.info
    experiment = store.client.get_experiment(state.experiment_id).name
    served = store.uri.startswith("http")
    page = store.uri.rstrip("/") if served else "http://127.0.0.1:5000"
    how = "" if served else "`make ui`, then "
    return (
        f"experiment {experiment}, run {state.run_name}: {how}"
        f"{page}/#/experiments/{state.experiment_id}/runs/{state.run_id}"
    )


class Filed:
    """A run that stands in the store, found by its fingerprint or made."""

    def __init__(self, store: Store, run_id: str, experiment_id: str, *, created: bool) -> None:
        self.run_id, self.created = run_id, created
        self._store, self._client, self._experiment_id = store, store.client, experiment_id
        self._steps: dict[str, set[int]] = {}
        self._monitor: SystemMetricsMonitor | None = None

    @classmethod
    def open(
        cls, store: Store, config: Config, fingerprint: str, started: int | None = None
    ) -> Self:
        """Finds the run of this experiment and fingerprint, or makes it (`started`: ms since 1970).

        The MLflow experiment is named after the paper's element, the run after its row.
        """
        element = str(config["paper"]["table"])
        note = title(element) + EXPERIMENT_NOTE
        experiment_id = store.experiment(element, note, views.errors_view())
        identity = description.identity(config, fingerprint)
        run, created = store.run(experiment_id, identity, str(config["name"]), started)
        return cls(store, run.info.run_id, experiment_id, created=created)

    @property
    def state(self) -> Run:
        return self._client.get_run(self.run_id)

    def watch_machine(self, seconds: float) -> None:
        """Logs CPU, memory, GPU and network as metrics `system/...` until the run ends."""
        self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            self.run_id, seconds, resume_logging=True, tracking_uri=self._store.uri
        )
        self._monitor.start()  # type: ignore[no-untyped-call]

    def running(self) -> None:
        """Says that the run is under way (again)."""
        self._client.update_run(self.run_id, status="RUNNING")

    def end(self, status: str, when: int | None = None) -> None:
        """FINISHED, FAILED or KILLED; `when` in ms since 1970, now if None."""
        if self._monitor is not None:
            self._monitor.finish()  # type: ignore[no-untyped-call]
        self._client.set_terminated(self.run_id, status, end_time=when)

    def describe(self, config: Config, recipe: Config | None = None) -> None:
        """Params, tags and the paper's numbers.

        A param is logged once: MLflow refuses to change it, so a later difference becomes a tag.
        """
        data = self.state.data
        wanted = description.params(config, recipe)
        new = [Param(key, value) for key, value in wanted.items() if key not in data.params]
        tags = description.tags(config, recipe)
        tags |= {
            f"changed.{key}": value
            for key, value in wanted.items()
            if data.params.get(key, value) != value
        }
        paper = [
            Metric(key, value, _now(), 0)
            for key, value in description.published(config).items()
            if key not in data.metrics
        ]
        missing = [RunTag(key, value) for key, value in tags.items() if key not in data.tags]
        self._client.log_batch(self.run_id, paper, new, missing)

    def note(self, config: Config, metrics: Row | None = None) -> None:
        """The run's description; with its metrics, once they are known, and its curves."""
        text = description.spaced(description.note(config, metrics))
        curves = f"\n\n{previews.markdown(self.run_id, CURVES)}" if metrics else ""
        self._client.set_tag(self.run_id, NOTE, text + curves)

    def log_evaluation(self, record: Record, errors: Row) -> None:
        """Adds errors that were measured after the training to metrics and note, unless there."""
        known = self.state.data.metrics
        new = {key: value for key, value in errors.items() if known.get(key) != value}
        if new:
            self.note(record.config, {**record.metrics, **errors})
            when, step = _now(), len(record.epochs)
            self._log_metrics(Metric(key, new[key], when, step) for key in new)

    def log_epochs(self, rows: Iterable[Row], times: Mapping[int, int]) -> None:
        """Adds the epochs that the store does not have; `times` (ms since 1970) is by epoch.

        A call that seems to fail but did not does no harm: the same value at the same time is one.
        """
        new = [
            Metric(key, value, times[int(row["epoch"])], int(row["epoch"]))
            for row in rows
            for key, value in row.items()
            if key not in NOT_METRICS
            and math.isfinite(value)
            and int(row["epoch"]) not in self._known_steps(key)
        ]
        self._log_metrics(new)
        for metric in new:
            self._steps[metric.key].add(metric.step)

    def log_dataset(self, config: Config, manifest: Config) -> None:
        inputs = self.state.inputs
        if inputs is None or not inputs.dataset_inputs:
            dataset = Dataset(source_type="local", **description.dataset(config, manifest))
            tag = InputTag("mlflow.data.context", "training")
            self._client.log_inputs(self.run_id, [DatasetInput(dataset, [tag])])

    def log_config(self, config: Config) -> None:
        if "config.yaml" not in self._store.artifacts(self.run_id):
            self._client.log_text(self.run_id, to_yaml(config), "config.yaml")

    def complete(self, record: Record, artists: Executor | None = None) -> bool:
        """Adds all that the run's folder holds and the store does not; False if that is nothing.

        The tag `complete` comes last but one, FINISHED last: a run without them is taken up again.

        Args:
            artists: draw the learning curves while the rest is filed; None: a thread does.
        """
        with self._store.alone():
            state = self.state
            has_files = self._has_files()
            if is_whole(state) and has_files:
                return False
            if state.data.tags.get(COMPLETE) != "true" or not has_files:
                with ThreadPoolExecutor(1) as thread:
                    self._add(record, artists or thread)
                self._client.set_tag(self.run_id, COMPLETE, "true")
            self.end("FINISHED", record.finished)
            return True

    def _add(self, record: Record, artists: Executor) -> None:
        from zfrepro.tracking.curves import draw  # noqa: PLC0415  draws rarely

        with tempfile.TemporaryDirectory() as folder:
            curves = Path(folder) / CURVES
            drawn = artists.submit(draw, record.config, record.epochs, curves)
            self.describe(record.config, record.recipe)
            self.note(record.config, record.metrics)
            self.log_epochs(record.epochs, record.times)
            self.log_dataset(record.config, record.recipe["data"])
            self.log_config(record.config)
            self._log_model(record)
            drawn.result()
            self._log_files([*(record.folder / name for name in FILES), curves])

    def _has_files(self) -> bool:
        """Whether the artifacts are there, too: somebody may have deleted them."""
        wanted = {*FILES, CURVES, previews.FOLDER}
        return self._store.artifacts(self.run_id) >= wanted and all(
            map(self._has_content, self._store.models(self.run_id))
        )

    def _has_content(self, model: LoggedModel) -> bool:
        return bool(self._client.list_logged_model_artifacts(model.model_id))

    def _log_files(self, paths: Iterable[Path]) -> None:
        there = self._store.artifacts(self.run_id)
        for path in paths:
            if path.name not in there:
                self._client.log_artifact(self.run_id, str(path))
            if path.name == CURVES:
                previews.log(self._client, self.run_id, [path])

    def _log_model(self, record: Record) -> None:
        """Logs the net as an MLflow model, whole or not at all: READY comes after its files."""
        found = self._model()
        if found is not None:
            if not self._has_content(found):
                self._log_content(found, record)
            return
        model = self._client.create_logged_model(
            self._experiment_id,
            name=MODEL,
            source_run_id=self.run_id,
            params=description.params(record.config, record.recipe),
            model_type="image classifier",
        )
        self._log_content(model, record)
        step = len(record.epochs)
        self._client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, step)])
        self._log_metrics(self._of_model(model.model_id, record, step))
        self._client.finalize_logged_model(model.model_id, "READY")

    def _log_content(self, model: LoggedModel, record: Record) -> None:
        from zfrepro.tracking.packaging import save  # noqa: PLC0415  torch takes seconds to import

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL
            save(path, record.weights, run_id=self.run_id, model=model)
            self._client.log_model_artifacts(model.model_id, str(path))

    def _model(self) -> LoggedModel | None:
        """The model that is ready; what an interrupted attempt left is removed."""
        for model in self._store.models(self.run_id):
            if str(model.status) == "READY":
                return model
            self._client.delete_logged_model(model.model_id)
        return None

    def _of_model(self, model_id: str, record: Record, step: int) -> Iterator[Metric]:
        """The final errors once more, now as the model's: MLflow joins them on equal values."""
        for key in record.metrics:
            for metric in self._client.get_metric_history(self.run_id, key):
                if metric.step == step:
                    yield Metric(key, metric.value, metric.timestamp, step, model_id=model_id)

    def _log_metrics(self, metrics: Iterable[Metric]) -> None:
        waiting = list(metrics)
        for start in range(0, len(waiting), BATCH):
            self._client.log_batch(self.run_id, waiting[start : start + BATCH])

    def _known_steps(self, key: str) -> set[int]:
        """The epochs of a metric that the store has; asked once, and not of a run made just now."""
        if key not in self._steps:
            history = [] if self.created else self._client.get_metric_history(self.run_id, key)
            self._steps[key] = {metric.step for metric in history}
        return self._steps[key]


def _now() -> int:
    return int(time.time() * 1000)
