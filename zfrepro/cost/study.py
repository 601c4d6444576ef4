"""Brings together what is counted, what is measured and what is done: a line for each stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfrepro import train
from zfrepro.cores import cores
from zfrepro.cost import counts, done, gpus
from zfrepro.cost.rows import Row
from zfrepro.cost.speed import Speed
from zfrepro.cost.table import DONE, TO_DO, Line
from zfrepro.data.sources.sizes import Size, size_of

PROCESS = 2.0  # seconds of a stage that starts Python and a few libraries
LOADING = 5.0  # seconds to load PyTorch, Lightning and MLflow, where that is not measured
FILING = 3.5  # seconds of a training stage to open the tracking store and to file the run
MEASURING = "measured"


@dataclass(frozen=True)
class Machine:
    """How long the parts of a study take, in seconds; speeds and evaluations by experiment."""

    prepared_image: float  # in one process
    loading: float  # of the libraries of a stage
    speeds: Mapping[str, Speed]
    evaluated_image: Mapping[str, float]  # in ten crops
    number: int  # bytes of an activation


@dataclass(frozen=True)
class Study:
    """Rows that share their images; `manifest` is there once these have been prepared."""

    rows: Sequence[Row]
    size: Size
    manifest: Mapping[str, Any] | None
    gpus: int = 1  # that share a batch

    @property
    def config(self) -> Mapping[str, Any]:
        """Of the first row: data, crop and trainer are everyone's."""
        return self.rows[0].config


def study_of(configs: Mapping[str, dict[str, Any]], root: Path | None, count: int = 1) -> Study:
    """The study of resolved configurations, by experiment.

    Args:
        root: where the raw images lie, if they have to be counted.
        count: GPUs that share a batch.

    Raises:
        ValueError: a net that cannot be built.
        SourceError: images that are neither prepared nor there, and nobody knows how many.
    """
    config = next(iter(configs.values()))
    manifest = done.prepared(config)
    size = _size(manifest) if manifest else size_of(config["data"], root)
    rows = [Row(name, cfg, counts.Net.of(cfg, size.classes)) for name, cfg in configs.items()]
    return Study(rows, size, manifest, count)


def measure(study: Study, gpu: str | None, budget: float) -> Machine:
    """Measures this machine, in about `budget` seconds and ten; of a GPU's part just the rest.

    Args:
        gpu: a name of `gpus.GPUS`, for trainings elsewhere.
    """
    from zfrepro.cost import here

    if gpu is None:
        prepared = train.PREPARED if study.manifest else None
        speeds = here.training_speeds(study.rows, study.size, prepared, budget)
        loading, number = here.startup_seconds(), here.activation_bytes(study.config)
    else:
        speeds = {
            row.name: gpus.speed(gpu, study.gpus, row.net, row.config["training"])
            for row in study.rows
        }
        loading = LOADING
        number = gpus.activation_bytes(gpu, study.config["training"]["precision"])
    return Machine(
        prepared_image=here.preparation_seconds(study.config["data"]),
        loading=loading,
        speeds=speeds,
        evaluated_image=here.evaluation_seconds(study.rows, study.size.classes),
        number=number,
    )


def lines(study: Study, machine: Machine) -> list[Line]:
    """The stages in their order: prepare, one train@ a row, evaluate."""
    runs = {row.name: done.run_of(dict(row.config)) for row in study.rows}
    trained = [_train(study, row, machine, runs[row.name] is not None) for row in study.rows]
    missing = [row for row in study.rows if not done.is_evaluated(runs[row.name])]
    return [_prepare(study, machine), *trained, _evaluate(study, missing, machine)]


def _prepare(study: Study, machine: Machine) -> Line:
    data, images = study.config["data"], study.size.train + study.size.val
    return Line(
        stage="prepare@source",
        images=images,
        forward_flops=None,
        flops=None,
        parameters=None,
        weights_bytes=None,
        activation_bytes=None,
        disk_bytes=counts.prepared_bytes(study.size, data["image_size"], data["storage"]),
        checkpoint_bytes=0,
        training_seconds=None,
        stage_seconds=PROCESS + machine.prepared_image * images / cores(),
        speed=MEASURING,
        state=DONE if study.manifest else TO_DO,
    )


def _train(study: Study, row: Row, machine: Machine, finished: bool) -> Line:
    work, speed = row.work(study.size), machine.speeds[row.name]
    share = work.batch // study.gpus
    return Line(
        stage=f"train@{row.name}",
        images=work.train_images,
        forward_flops=row.net.flops,
        flops=work.flops(row.net),
        parameters=row.net.parameters,
        weights_bytes=row.net.weight_bytes(),
        activation_bytes=row.net.activation_bytes(share, machine.number),
        disk_bytes=counts.weights_bytes(row.net, row.config["data"]["image_size"]),
        checkpoint_bytes=counts.CHECKPOINTS * counts.checkpoint_bytes(row.net),
        training_seconds=speed.training(work),
        stage_seconds=speed.stage(work, machine.loading + FILING),
        speed=speed.how,
        state=DONE if finished else TO_DO,
    )


def _evaluate(study: Study, missing: Sequence[Row], machine: Machine) -> Line:
    """One stage for all rows; those whose predictions are there cost nothing any more."""
    images, rows = counts.evaluated_images(study.size), missing or study.rows
    return Line(
        stage="evaluate",
        images=images * len(rows),
        forward_flops=None,
        flops=sum(row.net.flops * counts.CROPS * images for row in rows),
        parameters=None,
        weights_bytes=max(counts.FLOAT * row.net.parameters for row in rows),
        activation_bytes=None,
        disk_bytes=counts.prediction_bytes(study.size) * len(rows),
        checkpoint_bytes=0,
        training_seconds=None,
        stage_seconds=machine.loading
        + sum(machine.evaluated_image[row.name] * images for row in rows),
        speed=MEASURING,
        state=TO_DO if missing else DONE,
    )


def _size(manifest: Mapping[str, Any]) -> Size:
    splits = manifest["splits"]
    return Size(splits["train"]["images"], splits["val"]["images"], len(manifest["classes"]))
