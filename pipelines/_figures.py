"""What the stages that draw figures share: their command, and how they read networks and images."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from pipelines._recipe import made_from
from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.analysis import strongest
from zfrepro.analysis.bootstrap import Interval
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.analysis.sample import balanced
from zfrepro.config import Config
from zfrepro.data.store import Split
from zfrepro.devices import device_of
from zfrepro.fingerprint import fingerprint
from zfrepro.report import style
from zfrepro.training.trained import AT_CHANCE, Trained, centred, load

RESULTS = config.ROOT / "results"
RUNS = RESULTS / "runs"

Ints = npt.NDArray[np.int64]
Read = Callable[[Ints], Tensor]
Show = Callable[[Ints], npt.NDArray[np.float32]]


def stage(name: str, description: str | None, run: Callable[[Config], None], out: str) -> None:
    """The command of stage `name`: `run` with its section of conf/analysis.yaml.

    What it was made from goes into `out`, the folder below results/ that it writes.
    """
    argparse.ArgumentParser(description=description).parse_args()
    with shell(keep_memory=True):
        analysis = config.load(config.CONFIGS / "analysis.yaml")
        settings = analysis[name]
        style.set_output(**analysis["pictures"])
        run(settings)
        _report_cautions(RESULTS / out / "report.md")
        files.write_json(RESULTS / out / "recipe.json", made_from(name, settings))


def _report_cautions(report: Path) -> None:
    """Says in a stage's report, where it writes one, and on the terminal what its figures say."""
    for words in style.cautions():
        print(words, file=sys.stderr)
    if style.cautions() and report.is_file():
        words = "".join(f"**{words}.**\n\n" for words in style.cautions())
        files.atomic_write(report, words + report.read_text(encoding="utf-8"))


def trained(network: str) -> Trained:
    """The network that an experiment has trained, on the kind of device it was trained on.

    Where it is no better than chance every figure says so.
    """
    trainer = config.load(RUNS / network / "config.yaml")["trainer"]
    found = load(RUNS / network / "weights.pt").to(device_of(trainer["accelerator"]))
    if found.at_chance:
        style.caution(f"{network} {AT_CHANCE}")
    return found


def networks(settings: Config) -> list[str]:
    """The network that is shown, and the others that give the spread."""
    return [settings["network"], *settings["others"]]


def sample(split: Split, settings: Config, among: Ints | None = None) -> Ints:
    """The numbers of `settings.images` images, or of a quarter of the split where it is smaller.

    Spread over the classes, in random order.

    Args:
        among: those that come into question; None: all.
    """
    numbers = np.arange(len(split)) if among is None else among
    count = min(settings["images"], max(len(split) // 4, 5))
    return numbers[balanced(split.labels[numbers], count, settings["seed"])]


def verdict(claim: str, difference: Interval) -> str:
    """Whether a claim holds, by the interval of a difference that is above 0 where it does."""
    if difference.low > 0:
        return f"{claim}: as in the paper, the interval lies above 0."
    if difference.high < 0:
        return f"{claim}: the other way round here, the interval lies below 0."
    return f"{claim}: not shown here, the interval holds 0."


def recipe(network: str) -> Config:
    """What an experiment's training wrote about itself: fingerprint, seed and so on."""
    found: Config = json.loads((RUNS / network / "run.json").read_text(encoding="utf-8"))
    return found


def strongest_of(
    network: str,
    trained: Trained,
    split: Split,
    deconvnet: Deconvnet,
    layers: Sequence[str],
    data: str,
    epoch: int | None = None,
) -> pd.DataFrame:
    """The strongest activations of a run's network over a split; kept, and found again.

    Args:
        data: the digest of the prepared images.
        epoch: of the snapshot that the network has been put back to; None: it is as trained.
    """
    parts = {"data": data, "split": split.name, "layers": list(layers), "epoch": epoch}
    mark = fingerprint(parts, ["zfrepro.analysis.strongest", "zfrepro.training.trained"])
    folder = config.CHECKPOINTS / recipe(network)["fingerprint"] / f"strongest-{mark}"
    what = f"{network}, {split.name}" + (f", epoch {epoch}" if epoch else "")
    read = reader(trained, split)
    return strongest.collect(deconvnet.chain, layers, len(split), read, folder, progress=what)


def reader(trained: Trained, split: Split) -> Read:
    """What gives the network's input for images of these numbers."""

    def read(numbers: Ints) -> Tensor:
        return centred(trained, split.read(numbers, crop=trained.crop))

    return read


def pictures(trained: Trained, split: Split) -> Show:
    """What gives the same crops between 0 and 1."""

    def show(numbers: Ints) -> npt.NDArray[np.float32]:
        return split.read(numbers, crop=trained.crop).astype(np.float32) / np.float32(255)

    return show
