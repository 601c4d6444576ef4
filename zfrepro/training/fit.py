"""Trains one network to the end, from wherever an earlier attempt left it."""

import logging
import platform
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zfrepro.cores import cores
from zfrepro.data.module import PreparedData
from zfrepro.data.store import PreparedSet
from zfrepro.lightning import pl
from zfrepro.models.convnet import ConvNet, build
from zfrepro.models.memory import keep_freed_memory
from zfrepro.processes import STOPPED
from zfrepro.training import archive, checkpoints
from zfrepro.training.archive import in_one_line
from zfrepro.training.callbacks import EpochEnd, OneStart, OwnSignals, progress
from zfrepro.training.module import Classifier, DivergedError, Row
from zfrepro.training.precision import choose_precision
from zfrepro.training.setbacks import chance
from zfrepro.training.start import begin, freeze
from zfrepro.training.trained import Trained

Config = Mapping[str, Any]

logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no tips between the epochs
# Lightning's own call of a torch function on its way out
warnings.filterwarnings("ignore", message=".*LeafSpec.*deprecated")


@dataclass(frozen=True)
class Fitted:
    """A finished training: the net on the CPU, and how it got there.

    `mean` (S, S, 3) is what it subtracts; `best` the weights of the least validation error, where
    they are kept.
    """

    net: ConvNet
    mean: Tensor
    history: list[Row]
    precision: str
    processes: int
    threads: int  # of each process, on the CPU
    machine: str
    best: dict[str, Tensor] | None = None


def fit(
    config: Config,
    prepared: PreparedSet,
    folder: Path,
    report: Callable[[Row], None],
    start: Trained | None = None,
) -> Fitted:
    """Trains `config["model"]` on `prepared`; `report` gets each epoch's errors (percent).

    It starts from random weights, or from those of `start`, a network of other classes perhaps.
    `folder` keeps the checkpoint; a run that was killed goes on from its last whole epoch and ends
    with the weights of one that was not.

    Raises:
        DivergedError: the loss became NaN or infinite.
        MemoryError: the GPU has not enough.
        OSError: the disk is full, images are damaged, or a process that loads them was killed.
        StartError: `start` does not fit, or there is no layer `training.frozen_up_to`.
        SystemExit: the run was told to stop (code 143 for SIGTERM, 130 for Ctrl-C).
    """
    training, options = config["training"], config["trainer"]
    data = batches(config, prepared)
    net, mean = build_net(config, len(prepared.classes)), torch.from_numpy(prepared.mean)
    if start is not None:
        mean = begin(net, start, prepared, config["crop"])
    freeze(net, training["frozen_up_to"], start is not None)
    chance_loss = chance(prepared.split("train").labels)
    module = Classifier(net, mean, training, config["seed"], chance_loss)
    folder.mkdir(parents=True, exist_ok=True)
    callbacks = [
        # an epoch that a line tells of is safe: its checkpoint comes first
        EpochEnd(folder, report, training),
        OwnSignals(),
        OneStart(),
        *progress(options["progress"], config.get("name")),
    ]
    trainer = make_trainer(config, folder, callbacks)
    trainer.ckpt_path = checkpoints.newest(folder)
    with _explained_errors(trainer, folder):
        trainer.fit(module, data, weights_only=True)
    on_gpu = trainer.strategy.root_device.type == "cuda"
    best = folder / checkpoints.BEST
    return Fitted(
        net=module.net.cpu(),
        mean=mean,
        history=module.history,
        precision=trainer.precision,
        processes=trainer.world_size,
        threads=torch.get_num_threads(),
        machine=torch.cuda.get_device_name() if on_gpu else platform.machine(),
        best=archive.read(best) if best.is_file() else None,
    )


def batches(config: Config, prepared: PreparedSet) -> PreparedData:
    """The training and validation batches of a configuration, crops (B, c, c, 3) and labels."""
    return PreparedData(
        prepared,
        crop=config["crop"],
        batch=config["training"]["batch"],
        policy=config["training"]["crops"],
        seed=config["seed"],
        workers=config["trainer"]["workers"],
    )


def build_net(config: Config, classes: int) -> ConvNet:
    """The untrained network of a configuration, its weights drawn from `seed`."""
    table = {key: value for key, value in config["model"].items() if key != "published"}
    return build(**table, classes=classes, crop=config["crop"], seed=config["seed"])


def make_trainer(config: Config, folder: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer; what it would otherwise log, save and shuffle is ours to decide."""
    options = config["trainer"]
    if options["accelerator"] == "cpu":
        keep_freed_memory()
        # as weights decay their momenta pass through denormals, on which a CPU is slow
        torch.set_flush_denormal(True)
        torch.set_num_threads(options["threads"] or max(1, cores() // options["devices"]))
    # `deterministic` would fill what every step overwrites: 5 % of a step of ZFNet
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    precision = choose_precision(config["training"]["precision"], options["accelerator"])
    return pl.Trainer(
        accelerator=options["accelerator"],
        devices=options["devices"],
        num_nodes=options["nodes"],
        strategy=options["strategy"],
        precision=precision,  # type: ignore[arg-type]
        max_epochs=config["training"]["epochs"],
        callbacks=callbacks,
        plugins=[checkpoints.PlainCheckpointIO()],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=any(isinstance(each, pl.callbacks.ProgressBar) for each in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        # the same weights after a kill, on a GPU too; max pooling has no deterministic form there
        deterministic="warn" if options["accelerator"] != "cpu" else None,
    )


@contextmanager
def _explained_errors(trainer: pl.Trainer, folder: Path) -> Iterator[None]:
    """Has a training that fails or is stopped end with what `fit` says that it raises."""
    try:
        yield
    except DivergedError as error:
        good = checkpoints.newest(folder) or "none (it was the first epoch)"
        raise DivergedError(f"{error}; last good checkpoint: {good}") from None
    except (RuntimeError, OSError) as error:
        if explained := _mendable(error):
            raise explained from error
        raise
    except SystemExit as stop:
        if stop.code != 1:
            raise
        sys.stderr.write(f"{STOPPED}\n")  # by Ctrl-C, after which Lightning ends with 1
        sys.exit(128 + signal.SIGINT)
    if trainer.received_sigterm:  # and with 0 after SIGTERM, as if the training had finished
        sys.exit(128 + signal.SIGTERM)


def _mendable(error: RuntimeError | OSError) -> Exception | None:
    """For the user what torch says of memory and of loading processes; None for other errors."""
    message = str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return MemoryError(
            f"the GPU has no room for this network and batch ({in_one_line(error)}): "
            "training.precision=bf16-mixed needs less, and more GPUs (trainer=ddp) share the batch"
        )
    if isinstance(error, OSError) and "in DataLoader worker" in message:  # with its traceback
        return type(error)(message.strip().splitlines()[-1].partition(": ")[2])
    if "DataLoader worker" in message:
        return ChildProcessError(
            "a process that loads images was killed, most likely since memory ran out: free some, "
            "or load in the training process (trainer.workers=0), and start again: it goes on "
            "where it was"
        )
    return None
