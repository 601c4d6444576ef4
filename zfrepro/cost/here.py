"""The speed of this machine: each distinct network measured once, or scaled where that is slow."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from zfrepro import config
from zfrepro.cost import evaluating, images, preparing, training
from zfrepro.cost.counts import CROPS
from zfrepro.cost.rows import Row, families
from zfrepro.cost.speed import Speed
from zfrepro.data import overlap
from zfrepro.data.sources.published import Size
from zfrepro.data.store import PreparedSet
from zfrepro.devices import device_of

STAND_IN = 16e6  # bytes of stand-in images, where no more are needed for a few batches
BATCHES = 4  # that there are at least
SIDE = 2048  # of matrices whose product is measured
START = "import zfrepro.training.fit, mlflow"  # what a training stage loads

Config = Mapping[str, Any]


def startup_seconds() -> float:
    """Until a stage's process has loaded its libraries."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", START], cwd=config.ROOT, check=True)  # noqa: S603
    return time.perf_counter() - started


def activation_bytes(cfg: Config) -> int:
    """Of a number that a training step keeps."""
    return training.activation_bytes(cfg)


def devices(cfg: Config) -> int:
    """That share a batch on this machine."""
    return training.devices(cfg["trainer"])


def preparation_seconds(data: Mapping[str, Any]) -> float:
    """Of one image in one process."""
    with _scratch() as folder:
        return preparing.seconds_per_image(data, folder)


def thumbnail_seconds(image_size: int) -> float:
    """Of one prepared image in one process, as stage `overlap` makes them."""
    pixels = images.listing(overlap.READ, (image_size, image_size)).images
    overlap.greys(pixels)  # the first time warms up
    started = time.perf_counter()
    overlap.greys(pixels)
    return (time.perf_counter() - started) / len(pixels)


def product_seconds(device: str = "cpu") -> float:
    """Of a FLOP of a matrix product in 32 bits."""
    x = torch.ones(SIDE, SIDE, device=device)
    float((x @ x)[0, 0])
    started = time.perf_counter()
    float((x @ x)[0, 0])  # which waits for a GPU
    return (time.perf_counter() - started) / (2 * SIDE**3)


def fit_seconds(cfg: Config) -> float:
    """The same where classifiers are fitted."""
    return product_seconds(device(cfg).type)


def device(cfg: Config) -> torch.device:
    """Where this machine evaluates networks, draws figures and fits classifiers."""
    return device_of(cfg["trainer"]["accelerator"])


def pass_seconds(rows: Sequence[Row], classes: int) -> dict[str, float]:
    """By experiment, of an image in 32 bits: the first of a family measured, others scaled."""
    bases = families(rows)
    measured = {
        family: evaluating.seconds_per_image(base.config, classes, device(base.config)) / CROPS
        for family, base in bases.items()
    }
    return {
        row.name: measured[row.family] * row.net.flops / bases[row.family].net.flops for row in rows
    }


def training_speeds(
    rows: Sequence[Row], size: Size, prepared: Path | None, seconds: float
) -> dict[str, Speed]:
    """By experiment, measured in about `seconds` altogether.

    Rows of the same architecture share a measurement. The first of each family is always measured;
    another one is scaled from it, by operations, where a few of its steps take longer than its
    share of the time.
    """
    bases = families(rows)
    distinct: dict[Hashable, Row] = {}
    for row in [*bases.values(), *rows]:  # the bases come first
        distinct.setdefault(row.likeness, row)
    share = seconds / len(distinct)
    speeds: dict[Hashable, Speed] = {}
    with (
        _threads_kept(),
        _scratch() as folder,
        tqdm(distinct.values(), "measuring", unit="net", disable=None) as bar,
    ):
        stored = _images(rows[0].config, size, prepared, folder)
        for row in bar:
            bar.set_postfix_str(row.name)
            base = bases[row.family]
            speed = speeds.get(base.likeness)
            if speed is not None and _shortest(row, base, speed) > share:
                speeds[row.likeness] = speed.scaled(
                    row.net.flops / base.net.flops, row.net.parameters / base.net.parameters
                )
            else:
                speeds[row.likeness] = _measured(row, stored, size, share)
    return {row.name: speeds[row.likeness] for row in rows}


def _measured(row: Row, stored: PreparedSet, size: Size, seconds: float) -> Speed:
    devices = training.devices(row.config["trainer"])
    share = max(1, row.config["training"]["batch"] // devices)
    with _scratch() as folder:
        speed = training.measure(row.config, stored, size.classes, share, folder, seconds)
    return replace(
        speed, train_image=speed.train_image / devices, val_image=speed.val_image / devices
    )


def _shortest(row: Row, base: Row, speed: Speed) -> float:
    """Seconds that the least measurement of `row` would take, by the speed of its family's base."""
    steps, batches = training.LEAST, training.VAL_BATCHES
    images: float = row.config["training"]["batch"] * row.net.flops / base.net.flops
    return images * (steps * speed.train_image + batches * speed.val_image)


def _images(cfg: Config, size: Size, prepared: Path | None, folder: Path) -> PreparedSet:
    """Those that are prepared, or else some that are like them."""
    if prepared is not None:
        return PreparedSet.open(prepared)
    batch = cfg["training"]["batch"]
    fitting = round(STAND_IN / (3 * cfg["data"]["image_size"] ** 2))
    train = max(BATCHES * batch, min(size.train, fitting))
    return images.stand_in(
        cfg["data"], folder / "images", train, min(size.val, training.VAL_BATCHES * batch)
    )


@contextmanager
def _threads_kept() -> Iterator[None]:
    """A training has as many as its configuration says; what is measured after it has its own."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder on the disk that trainings write to, and gone afterwards."""
    config.CHECKPOINTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.CHECKPOINTS, prefix=".plan-") as name:
        yield Path(name)
