"""Brings together what is counted, what is measured and what is done: a line for each stage."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zfrepro import networks
from zfrepro.config import TRANSFER_SETS
from zfrepro.cores import cores
from zfrepro.cost import counts, done, gpus
from zfrepro.cost.rows import Row
from zfrepro.cost.speed import Speed
from zfrepro.cost.table import DONE, TO_DO, Line
from zfrepro.data.sources.published import Size
from zfrepro.data.sources.sizes import size_of
from zfrepro.sharing import at_once

PROCESS = 2.0  # seconds of a stage that starts Python and a few libraries
LOADING = 5.0  # seconds to load PyTorch, Lightning and MLflow, where that is not measured
FILING = 3.5  # seconds of a training stage to open the tracking store and to file the run
MEASURING = "measured"
NONE = Size(0, 0, 0)  # of a set that the profile has not

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Machine:
    """How long the parts of a study take, in seconds; speeds and evaluations by experiment."""

    prepared_image: float  # in one process
    loading: float  # of the libraries of a stage
    speeds: Mapping[str, Speed]
    passes: Mapping[str, float]  # of an image, in 32 bits, where figures are made
    evaluated_image: Mapping[str, float]  # in ten crops
    number: int  # bytes of an activation
    devices: int = 1  # that share a batch
    thumbnail: float = 0  # of an image, in one process
    product: float = 0  # of a FLOP of matrix products, on the CPU
    fit: float = 0  # the same where classifiers are fitted


class Beside(NamedTuple):
    """What the stages beside training go by, resolved: transfer sets by name, and settings."""

    sets: Mapping[str, Config]
    analysis: Config
    transfer: Config


@dataclass(frozen=True)
class Study:
    """Rows that share their images; `manifest` is there once these have been prepared.

    `beside` is there where all rows are planned: the other stages are of them all.
    """

    rows: Sequence[Row]
    size: Size
    manifest: Mapping[str, Any] | None
    gpus: int = 1
    beside: Beside | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """Of the first row: data, crop and trainer are everyone's."""
        return self.rows[0].config

    @property
    def shared_by(self) -> int:
        """GPUs that share each batch: all, or each has a row of its own."""
        return 1 if self.config["trainer"]["together"] == "gpus" else self.gpus

    @property
    def at_once(self) -> int:
        """Rows that are trained, evaluated or trained anew on other sets at a time."""
        trainer = self.config["trainer"]
        of_gpus = trainer["together"] == "gpus" and self.gpus > 1
        return self.gpus if of_gpus else at_once(trainer)


def study_of(
    configs: Mapping[str, dict[str, Any]],
    root: Path | None,
    count: int = 1,
    beside: Beside | None = None,
) -> Study:
    """The study of resolved configurations, by experiment.

    Args:
        root: where the raw images lie, if they have to be counted.
        count: GPUs.

    Raises:
        ValueError: a net that cannot be built.
        SourceError: images that are neither prepared nor there, and nobody knows how many.
    """
    config = next(iter(configs.values()))
    manifest = done.prepared(config)
    size = _size(manifest) if manifest else size_of(config["data"], root)
    rows = [Row(name, cfg, counts.Net.of(cfg, size.classes)) for name, cfg in configs.items()]
    return Study(rows, size, manifest, count, beside)


def measure(study: Study, gpu: str | None, budget: float) -> Machine:
    """Measures this machine, in about `budget` seconds and ten; of a GPU's part just the rest.

    Args:
        gpu: a name of `gpus.GPUS`, for trainings elsewhere.
    """
    from zfrepro.cost import here

    if gpu is None:
        prepared = networks.PREPARED if study.manifest else None
        speeds = here.training_speeds(study.rows, study.size, prepared, budget)
        passes = here.pass_seconds(study.rows, study.size.classes)
        loading, number = here.startup_seconds(), here.activation_bytes(study.config)
        devices = here.devices(study.config)
    else:
        speeds = {
            row.name: gpus.speed(gpu, study.shared_by, row.net, row.config["training"])
            for row in study.rows
        }
        passes = {row.name: gpus.pass_seconds(gpu, row.net) for row in study.rows}
        loading, devices = LOADING, study.shared_by
        number = gpus.activation_bytes(gpu, study.config["training"]["precision"])
    elsewhere = {name: each.of_one(devices).val_image for name, each in speeds.items()}
    evaluating = elsewhere if gpu or here.device(study.config).type == "cuda" else passes
    return Machine(
        prepared_image=here.preparation_seconds(study.config["data"]),
        loading=loading,
        speeds=speeds,
        passes=passes,
        evaluated_image={name: counts.CROPS * each for name, each in evaluating.items()},
        number=number,
        devices=devices,
        thumbnail=here.thumbnail_seconds(study.config["data"]["image_size"]),
        product=here.product_seconds(),
        fit=gpus.product_seconds(gpu) if gpu else here.fit_seconds(study.config),
    )


def lines(study: Study, machine: Machine, done_stages: Container[str] = ()) -> list[Line]:
    """A line a stage: prepare, one train@ a row, evaluate; of all rows, the others around them.

    Args:
        done_stages: those beside training that need not run.
    """
    known = {row.name: done.run_of(dict(row.config)) for row in study.rows}
    trained = [_train(study, row, machine, known[row.name] is not None) for row in study.rows]
    missing = [row for row in study.rows if not done.is_evaluated(known[row.name])]
    source = _prepare(machine, "source", study.config["data"], study.size, bool(study.manifest))
    evaluated = _evaluate(study, missing, machine)
    if study.beside is None:
        return [source, *trained, evaluated]
    sets = study.beside.sets
    others = [
        _prepare(machine, name, sets.get(name), size_of(sets[name], None) if name in sets else NONE,
                 f"prepare@{name}" in done_stages)
        for name in TRANSFER_SETS
    ]  # fmt: skip
    first, last = _beside(study, study.beside, machine, done_stages)
    return [*first[:2], source, *others, *first[2:], *trained, evaluated, *last]


def _beside(
    study: Study, beside: Beside, machine: Machine, done_stages: Container[str]
) -> tuple[list[Line], list[Line]]:
    """The stages before the trainings, and those after them."""
    from zfrepro.cost import demands, stages  # which load PyTorch

    known = demands.Known(
        demands.Sizes(
            study.size, {name: size_of(each, None) for name, each in beside.sets.items()}
        ),
        {row.name: row.config for row in study.rows},
        {row.name: row.net for row in study.rows},
        beside.analysis,
        beside.transfer,
    )
    rates = stages.Rates(
        machine.passes,
        machine.speeds[beside.transfer["network"]].of_one(machine.devices),
        machine.thumbnail,
        machine.product,
        machine.fit,
        study.at_once,
        study.gpus if study.shared_by == 1 else 1,
    )
    found = [
        stages.line(name, arguments, known, rates, DONE if name in done_stages else TO_DO)
        for name, arguments in stages.names(TRANSFER_SETS)
    ]
    before = ("sources", "resolve", "overlap")
    return (
        [each for each in found if each.stage in before],
        [each for each in found if each.stage not in before],
    )


def _prepare(machine: Machine, name: str, data: Config | None, size: Size, finished: bool) -> Line:
    images = size.train + size.val
    return Line(
        stage=f"prepare@{name}",
        images=images,
        forward_flops=None,
        flops=None,
        parameters=None,
        weights_bytes=None,
        activation_bytes=None,
        disk_bytes=counts.prepared_bytes(size, data["image_size"], data["storage"]) if data else 0,
        checkpoint_bytes=0,
        training_seconds=None,
        stage_seconds=PROCESS + machine.prepared_image * images / cores(),
        speed=MEASURING,
        state=DONE if finished else TO_DO,
    )


def _train(study: Study, row: Row, machine: Machine, finished: bool) -> Line:
    work, speed = row.work(study.size), machine.speeds[row.name]
    share = work.batch // study.shared_by
    whole = speed.stage(work, machine.loading + FILING)
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
        stage_seconds=whole / study.at_once,
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
        + sum(machine.evaluated_image[row.name] * images for row in rows) / study.at_once,
        speed=MEASURING,
        state=TO_DO if missing else DONE,
    )


def _size(manifest: Mapping[str, Any]) -> Size:
    splits = manifest["splits"]
    return Size(splits["train"]["images"], splits["val"]["images"], len(manifest["classes"]))
