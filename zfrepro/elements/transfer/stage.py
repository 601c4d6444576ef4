"""A network's features at work on another set, beside the same network from random weights."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from zfrepro import config, files
from zfrepro.config import Config
from zfrepro.cores import cores
from zfrepro.data.store import PreparedSet
from zfrepro.elements.transfer.folds import (
    FEW,
    RESULTS,
    UNTRAINED,
    Classes,
    Map,
    Network,
    Probe,
    Row,
    Target,
    is_absent,
    is_kept,
    kept,
    probed,
    unprobed,
    write_folds,
)
from zfrepro.fingerprint import fingerprint
from zfrepro.sharing import at_once, gpus
from zfrepro.training.precision import choose_precision
from zfrepro.transfer import protocol, voc
from zfrepro.transfer.coordinates import scaled
from zfrepro.transfer.probe import fitted
from zfrepro.transfer.protocol import Fold, Labels
from zfrepro.workers import shared_map

OUT = RESULTS / "transfer"
SETS = ("caltech101", "caltech256", "voc2012")


def run(settings: Config, name: str) -> None:
    rows: list[Row] = []
    if not is_absent(name):
        network = Network(settings["network"])
        rows = list((_voc if name == "voc2012" else _classes)(settings, name, network))
    write_folds(rows, OUT / name / "folds.csv")


def _classes(settings: Config, name: str, network: Network) -> Iterator[Row]:
    target, mine = Classes(name, network, settings), settings[name]
    folds = [target.fold(n, k) for n in mine["images_per_class"] for k in range(mine["folds"])]
    by_scratch = mine["scratch"]
    again = [
        target.fold(n, k)
        for n in by_scratch["images_per_class"]
        for k in range(by_scratch["folds"])
    ]
    with files.atomic_path(OUT / name / "splits.parquet") as path:
        drawn = {(fold.images_per_class, fold.number): fold for fold in (*folds, *again)}
        protocol.table(drawn.values(), target.split.paths).to_parquet(path, index=False)
    before = Classes(name, Network(network.name, UNTRAINED), settings)
    wanted = [
        (each, Probe(fold, settings["layer"], "softmax"))
        for each, of in ((target, folds), (before, again))
        for fold in of
    ]
    scratch = Scratch(target, settings["scratch"])
    # a small net, or classifier, is faster on a core of its own; a GPU is shared where the training
    # of the network shared it, since large ones leave no memory for others
    trainer = network.config["trainer"]
    most = at_once(trainer) if network.device.type == "cuda" else cores()
    beside = min(most, max(unprobed(wanted) // FEW, scratch.missing(again)))
    with shared_map(beside, gpus(trainer)) as each_of:
        yield from probed(wanted, f"{name}, classifiers", each_of)
        yield from scratch.tried(again, each_of, max(1, cores() // max(1, beside)))


class Scratch:
    """The same net trained from random weights, which a fold's seed and number decide."""

    def __init__(self, target: Classes, settings: Config) -> None:
        self._target, self._settings = target, settings
        experiment = target.network.config
        parts = {key: experiment[key] for key in ("model", "crop", "training")}
        wish, accelerator = (
            experiment["training"]["precision"],
            experiment["trainer"]["accelerator"],
        )
        parts["precision"] = choose_precision(wish, accelerator)
        parts |= {**target.drawn, "scratch": settings}
        self._folder = config.CHECKPOINTS / fingerprint(parts, ["zfrepro.transfer.scratch"])

    def missing(self, folds: Sequence[Fold]) -> int:
        return sum(not is_kept(self._folder, "scratch", fold) for fold in folds)

    def tried(self, folds: Sequence[Fold], each_of: Map, threads: int) -> Iterator[Row]:
        """A line of each fold: the net trained on it, with so many threads, and tested."""
        target = self._target
        task = partial(
            _trained, self._folder, target.network.config, self._settings, target.prepared,
            target.labels, threads,
        )  # fmt: skip
        found = tqdm(
            each_of(task, folds), f"{target.name}, scratch", len(folds), unit="fold", disable=None
        )
        for fold, row in zip(folds, found, strict=True):
            yield target.row(fold, arm="scratch", classifier="softmax") | row


def _trained(
    folder: Path, experiment: Config, settings: Config, prepared: PreparedSet, labels: Labels,
    threads: int, fold: Fold,
) -> Row:  # fmt: skip
    from zfrepro.transfer import scratch  # noqa: PLC0415  Lightning takes a second to import

    def work(own: Path) -> Row:
        found = scratch.accuracy(experiment, settings, prepared, fold, labels, own, threads)
        return {"accuracy": found}

    try:
        return kept(folder, "scratch", fold, work)
    except SystemExit as stop:
        if parent_process():  # a worker would go on with the next fold
            os._exit(int(stop.code or 0))
        raise


def _voc(settings: Config, name: str, network: Network) -> Iterator[Row]:
    """Average precision of each classifier; their scores and results files on the way."""
    target, mine = Target(name, network), settings[name]
    if both := set(mine["train"]) & set(mine["test"]):
        raise ValueError(f"{name}.train and {name}.test of conf/transfer.yaml share {min(both)}")
    train, test = (_features(target, mine[role], settings["layer"]) for role in ("train", "test"))
    shown = voc.presence(target.prepared, mine["train"])
    truth = voc.presence(target.prepared, mine["test"])
    paths = [path for split in mine["test"] for path in target.prepared.split(split).paths]
    names = [identity for identity, _ in target.prepared.classes]
    found = scaled(train.to(network.device), test.to(network.device))
    tables, columns = [], {"path": paths}
    for classifier in mine["classifiers"]:
        model, strength = fitted(
            found, shown, classifier, settings["strengths"][classifier], voc.mean_average_precision
        )
        scores = found.scores(model)
        if classifier == "softmax":
            scores = torch.from_numpy(scores).softmax(1).numpy()
        folder = OUT / name / "submission" / classifier
        voc.write_results(folder, "+".join(mine["test"]), names, paths, scores)
        columns |= {f"{classifier}/{k}": column for k, column in zip(names, scores.T, strict=True)}
        table = voc.interval(scores, truth)
        tables.append(table.assign(classifier=classifier, **{"class": [*names, "mean"]}))
        yield {
            "set": name, "arm": "pretrained", "classifier": classifier, "layer": settings["layer"],
            "fold": 0, "seed": settings["seed"], "accuracy": table["ap"].iloc[-1],
            "strength": strength, "classes": len(names),
        }  # fmt: skip
    with files.atomic_path(OUT / name / "average_precision.csv") as path:
        order = ["classifier", "class", "ap", "low", "high"]
        pd.concat(tables)[order].to_csv(path, index=False, float_format="%.6g")
    with files.atomic_path(OUT / name / "scores.parquet") as path:
        pd.DataFrame(columns).to_parquet(path, index=False)


def _features(target: Target, splits: list[str], layer: str) -> torch.Tensor:
    """(N, numbers) of all images of `splits`, one split after the other."""
    found = [target.features(target.prepared.split(split), [layer])[layer] for split in splits]
    return torch.from_numpy(np.concatenate([np.load(path) for path in found]))
