"""Trainings: what decides one, and how it is made.

A run is made in `.checkpoints/<fingerprint>/`, where a killed one goes on and a finished one is
found again, by `python -m zfrepro.train` and by `dvc repro` alike.
"""

import hashlib
import json
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import config, files, networks, processes
from zfrepro.config import Config, ConfigError
from zfrepro.fingerprint import fingerprint
from zfrepro.provenance import git_revision

if TYPE_CHECKING:  # torch takes seconds to import, and `--help` needs none of it
    from collections.abc import Callable

    from zfrepro.data.store import PreparedSet
    from zfrepro.training.fit import Fitted

    Images = Callable[[Config], PreparedSet]

EXCLUDED = config.ROOT / "results" / "overlap" / "excluded.parquet"
DATA = ("fingerprint", "digest", "source", "splits", "classes")
DECIDES = ("seed", "crop", "model", "training")  # with the data; `trainer` only says where it runs
CODE = ["zfrepro.training.fit"]  # and all that it imports


@dataclass(frozen=True)
class Run:
    """One training: what it is, and the folder it is made in."""

    config: Config
    prepared: "PreparedSet"
    fingerprint: str
    start: Path | None = None  # the weights that it starts from; None: random ones
    parts: Config = field(default_factory=dict)  # all that decides it but the code

    @property
    def work(self) -> Path:
        return config.CHECKPOINTS / self.fingerprint

    @property
    def result(self) -> Path:
        """There, and whole, once the training has finished."""
        return self.work / "run"

    @property
    def finished(self) -> bool:
        return self.result.is_dir()


def plan(cfg: Config, images: "Images | None" = None) -> Run:
    """The run of a resolved configuration.

    Args:
        images: gives its prepared images, without those to leave out; else they are `standing`.

    Raises:
        ConfigError: the network is a published one; or what `images` raises.
    """
    check_trainable(cfg)
    from zfrepro.training.precision import choose_precision

    prepared = (images or standing)(cfg)
    parts: Config = {key: cfg[key] for key in DECIDES} | {"data": prepared.manifest["digest"]}
    precision = choose_precision(cfg["training"]["precision"], cfg["trainer"]["accelerator"])
    parts["training"] = {**cfg["training"], "precision": precision}  # as chosen, not as wished
    # the images and not `exclude_overlap`: without a shared image, it is the same training
    parts |= {
        f"without_{split}": out.tolist() for split, out in prepared.left_out.items() if len(out)
    }
    start = starting_from(cfg["training"]["start"])
    if start is not None:  # what is in it, wherever it lies
        with start.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        parts["training"] = {**parts["training"], "start": digest}
    return Run(cfg, prepared, fingerprint(parts, CODE), start, parts)


def starting_from(network: str | None) -> Path | None:
    """The weights that `training.start` names: an experiment, a run's folder, a file or a model.

    Raises:
        FileNotFoundError: none of these.
        ValueError: a published network that is not to be had.
    """
    if network is None:
        return None
    published = network in config.published_models()
    return networks.weights_of([f"model={network}" if published else network])


def standing(cfg: Config) -> "PreparedSet":
    """The images that the stages have prepared in results/, without those to leave out.

    Raises:
        ConfigError: there are none, or they are those of another configuration.
        ExcludedError: which images to leave out is not known, or of another prepared set.
    """
    from zfrepro.data import excluded
    from zfrepro.data.store import PreparedSet

    remedy = (
        f"`dvc repro prepare@source` prepares them (profile {cfg['profile']}, as in params.yaml)"
    )
    if not (networks.PREPARED / "manifest.json").is_file():
        raise ConfigError(f"there are no prepared images in {networks.PREPARED}: {remedy}")
    prepared = PreparedSet.open(networks.PREPARED)
    check_prepared(prepared.manifest, cfg["data"], remedy)
    if not cfg["exclude_overlap"]:
        return prepared
    return prepared.without("train", excluded.read(EXCLUDED, prepared.manifest["digest"]))


def check_trainable(cfg: Config) -> None:
    """Raises ConfigError where the network's weights come from elsewhere."""
    model = cfg["model"]
    if "published" in model and cfg["training"]["start"] is None:
        raise ConfigError(
            f"model={model['name']} comes with published weights and is not trained: "
            f"`python -m zfrepro.evaluate model={model['name']}` scores it, and "
            f"training.start={model['name']} trains it further"
        )


def check_prepared(manifest: Config, data: Config, remedy: str) -> None:
    """Raises ConfigError, naming the first difference, where the images are another profile's."""
    prepared_for = manifest["config"]
    for key, value in data.items():
        # the same images may have moved
        if key != "root" and prepared_for.get(key) != value:
            raise ConfigError(
                f"the images in {networks.PREPARED} were prepared with data.{key} = "
                f"{prepared_for.get(key)}, and this run asks for {value}: {remedy}"
            )


def train(run: Run) -> None:
    """Trains a planned run unless that has been done; safe to kill and call again.

    Raises:
        LockedError: another process is training the same; says which.
        ProcessesError: other processes were started than `trainer` asks for.
        DamagedError: what has been trained is not whole.
        Exception: what `training.fit.fit` raises.
    """
    if run.finished:  # most stages find their run made beside another: without seconds of imports
        check_whole(run.result)
        tell(f"{run.config['name']}: already trained, in {run.result}")
        return
    from zfrepro import tracking
    from zfrepro.training.fit import fit
    from zfrepro.training.trained import load

    what = f"training of {run.config['name']}"
    processes.check(run.config["trainer"])
    start = None if run.start is None else load(run.start)
    training = run.config, run.prepared, run.work
    if not processes.is_first():  # one more process of the same run; the first holds the lock
        files.wait_for_first(run.work, what)
        fit(*training, report=lambda _: None, start=start)
        return
    with (
        files.exclusive(run.work, what),
        tracking.track(run.config, run.fingerprint, run.prepared.manifest) as tracker,
    ):
        started = time.time()
        fitted = fit(*training, report=tracker.log_epoch, start=start)
        _write_result(run, fitted, started)
        tracker.finish(run.result)


def check_whole(result: Path) -> None:
    """Raises DamagedError where a finished run lacks a file, or one has changed."""
    try:
        files.check_sums(result)
    except files.DamagedError as error:
        raise files.DamagedError(
            f"{error}: copy the run anew, or remove {result} and start again to train it anew"
        ) from error


def summary(run: Run) -> str:
    """What came of a finished run, beside the paper's numbers (errors in percent)."""
    metrics = json.loads((run.result / "metrics.json").read_text())
    paper = run.config["paper"]
    lines = [f"{run.config['name']}: run {run.fingerprint}, {metrics['epochs']} epochs"]
    for name in ("train/top1", "val/top1", "val/top5"):
        if name not in metrics:  # of five classes or fewer
            continue
        published = paper[name.replace("/", "_")]
        beside = "" if published is None else f"   (paper, on ImageNet: {published:.1f})"
        lines.append(f"  {name:10} error {metrics[name]:5.1f} %{beside}")
    if "best/epoch" in metrics:
        lines.append(
            f"  best.pt    error {metrics['best/val_top1']:5.1f} %   (least on the validation "
            f"images, after epoch {metrics['best/epoch']})"
        )
    if metrics.get("at_chance"):
        lines.append(
            "  It is no better than chance on its validation images: try another seed=N, a lower "
            "training.lr, more epochs or more images"
        )
    return "\n".join([*lines, f"  in {run.result}"])


def tell(message: str) -> None:
    """A line for the user of the command; standard output stays free."""
    if processes.is_first():
        print(message, file=sys.stderr, flush=True)


def _write_result(run: Run, fitted: "Fitted", started: float) -> None:
    """Makes `run/` appear whole: its metrics are the sign of a finished training."""
    from zfrepro.training import checkpoints, result

    partial = run.work / "run.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    files.atomic_write(partial / "config.yaml", config.to_yaml(run.config))
    files.write_json(partial / "run.json", _recipe(run, fitted, started))
    result.write(partial, fitted, run.prepared, run.config["crop"])
    snapshots = run.work / checkpoints.SNAPSHOTS
    if snapshots.is_dir():
        whole = [path.name for path in snapshots.glob("epoch-*.pt")]  # a kill leaves others
        files.link_tree(snapshots, partial / checkpoints.SNAPSHOTS, whole)
    made = [path.relative_to(partial).as_posix() for path in partial.rglob("*") if path.is_file()]
    files.write_sums(partial, made)
    files.sync(partial)
    partial.rename(run.result)
    files.sync(run.work)  # before what could make it again goes
    checkpoints.remove(run.work)
    shutil.rmtree(snapshots, ignore_errors=True)


def _recipe(run: Run, fitted: "Fitted", started: float) -> Config:
    from torch.backends import cpu

    manifest = run.prepared.manifest
    return {
        "fingerprint": run.fingerprint,
        "experiment": run.config["name"],
        "profile": run.config["profile"],
        "seed": run.config["seed"],
        "parameters": sum(weights.numel() for weights in fitted.net.parameters()),
        "git_revision": git_revision(config.ROOT),
        "versions": {name: version(name) for name in ("torch", "pytorch-lightning", "numpy")},
        "python": platform.python_version(),
        "started": _iso(started),
        "finished": _iso(time.time()),
        # of training itself: a run that was killed counts all its parts
        "seconds": round(sum(row["seconds"] for row in fitted.history), 1),
        "data": {key: manifest[key] for key in DATA},
        "left_out": {split: len(images) for split, images in run.prepared.left_out.items()},
        "precision": fitted.precision,
        "processes": fitted.processes,
        "threads": fitted.threads,
        "machine": f"{platform.system()}, {fitted.machine}",
        "instructions": cpu.get_cpu_capability(),  # others round otherwise
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the command with one line for what the user can mend; a bug keeps its traceback."""
    try:
        yield
    except (files.LockedError, OSError, ValueError, MemoryError) as error:
        sys.exit(f"error: {files.reason(error)}")
    except Exception as error:  # of libraries that take seconds to import
        from zfrepro.lightning import pl
        from zfrepro.training.module import DivergedError

        misconfigured = pl.utilities.exceptions.MisconfigurationException  # type: ignore[attr-defined]
        if not isinstance(error, DivergedError | misconfigured):
            raise
        sys.exit(f"error: {files.reason(error)}")
