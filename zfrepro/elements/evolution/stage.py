"""Figure 4 with the study's networks.

Draws <layer>.{png,pdf}, series/<layer>/epoch-<number>.png, and convergence.{png,pdf}. Tables:
convergence, by epoch, over all the networks; settled, when each layer of each has settled.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from zfrepro import config, stats
from zfrepro.config import Config
from zfrepro.data.sample import stratified_sample
from zfrepro.elements.context import Context
from zfrepro.elements.evolution import measure, plot
from zfrepro.elements.evolution.element import COMPARED, FIXED
from zfrepro.elements.features.measure import choose_maps
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Found, Measure, Outcome, only
from zfrepro.render.tables import markdown
from zfrepro.results import steps_an_epoch
from zfrepro.training import archive

ALIKE = 0.8  # correlation from which on two projections count as the same
SETTLED = "settled at step"  # the first of the measures of when a layer settles


class Snapshot(NamedTuple):
    """A network as it was after an epoch, and its strongest activations over all images.

    `likenesses` of some images to each layer, as of `measure.likenesses`.
    """

    epoch: int
    weights: Path
    table: pd.DataFrame
    likenesses: dict[str, Tensor]


class History:
    """A run's network, put back to any of its snapshots."""

    def __init__(self, context: Context, network: str) -> None:
        self.network = network
        recipe = context.results.run(network)
        self.seed: int = recipe["seed"]
        self.trained = context.trained(network)
        self.deconvnet = Deconvnet(self.trained.net)
        self.read = context.reader(self.trained)
        run = context.results.folder / "runs" / network
        kept = sorted(run.glob("snapshots/epoch-*.pt"))
        if not kept:
            raise FileNotFoundError(
                f"{run}/snapshots has no weights: `training.snapshots` of {network} names epochs"
            )
        batch = config.load(run / "config.yaml")["training"]["batch"]
        self.steps = steps_an_epoch(recipe, batch)
        settings, labels = context.settings, context.split.labels
        compared = self.read(stratified_sample(labels, COMPARED, settings["seed"]))
        self.snapshots = []
        for path in kept:
            epoch = int(path.stem.removeprefix("epoch-"))
            self.put_back(path)
            table = context.top_activations(
                network, self.trained, self.deconvnet, settings["layers"], epoch=epoch
            )
            alike = measure.likenesses(self.deconvnet.chain, settings["layers"], compared)
            self.snapshots.append(Snapshot(epoch, path, table, alike))

    def put_back(self, weights: Path) -> None:
        self.trained.net.load_state_dict(archive.read(weights))


def run(context: Context) -> Outcome:
    settings = context.settings
    context.share_out(collect, context.networks)
    rows: list[dict[str, object]] = []
    for network in context.networks:
        history = History(context, network)
        if network == context.networks[0]:
            draw(context, history)
        for layer in settings["layers"]:
            rows += convergence(history, layer)
    table = pd.DataFrame(rows)
    title = f"{settings['network']} and {len(settings['others'])} more seeds: mean and deviation"
    plot.draw_convergence(table, context.folder / "convergence", title)
    by_network = settled(table)
    summary = over_seeds(by_network)
    return Outcome(
        measures(by_network, summary),
        {"convergence": table, "settled": by_network},
        report(summary, settings),
    )


def collect(context: Context, network: str) -> None:
    History(context, network)


def draw(context: Context, history: History) -> None:
    last, settings = history.snapshots[-1].table, context.settings
    for layer in settings["layers"]:
        maps = choose_maps(last, layer, settings["maps"], settings["seed"])
        moments = []
        for each in history.snapshots:
            history.put_back(each.weights)
            moments.append(
                measure.moment(history.deconvnet, each.table, each.epoch, layer, maps, history.read)
            )
        title = f"{history.network}, {layer}: each map's strongest activation over all images"
        plot.draw(moments, maps, context.folder / layer, title)
        plot.write_series(moments, maps, context.folder / "series" / layer)


def convergence(history: History, layer: str) -> Iterator[dict[str, object]]:
    """How like the end each snapshot is: the mean over maps, one row a snapshot."""
    end = history.snapshots[-1]
    best = measure.first_places(end.table, layer).iloc[:FIXED]
    images = history.read(best["image"].to_numpy())
    maps = best["map"].tolist()
    history.put_back(end.weights)
    final = measure.fixed_images(history.deconvnet, layer, maps, images)
    before = None
    for each in history.snapshots:
        history.put_back(each.weights)
        now = measure.fixed_images(history.deconvnet, layer, maps, images)
        yield {
            "network": history.network,
            "seed": history.seed,
            "layer": layer,
            "epoch": each.epoch,
            "step": each.epoch * history.steps,
            "correlation": measure.correlations(now, final).mean(),
            "cka": measure.cka(each.likenesses[layer], end.likenesses[layer]),
            "changed": None if before is None else measure.changed(before, each.table, layer),
        }
        before = each.table


def settled(table: pd.DataFrame) -> pd.DataFrame:
    """A row a layer and network (percent, but for the step).

    The first kept step whose projections correlate `ALIKE` with the last's; the mean correlation,
    and the mean CKA, of the steps before the last; the mean share of maps whose strongest image
    changed between two.
    """
    rows = []
    for (layer, network), curve in table.groupby(["layer", "network"], sort=False):
        before = curve[curve["step"] < curve["step"].max()]
        rows.append({
            "layer": layer,
            "network": network,
            SETTLED: float(curve.loc[curve["correlation"] >= ALIKE, "step"].min()),
            "correlation before the end": 100 * before["correlation"].mean(),
            "CKA before the end": 100 * before["cka"].mean(),
            "strongest image changed": 100 * curve["changed"].astype(float).mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The same by layer, mean and deviation."""
    by_layer = table.drop(columns="network").groupby("layer", sort=False)
    mean, deviation = by_layer.mean(), by_layer.std()
    columns: dict[str, pd.Series[float]] = {}
    for name in mean:
        columns |= {str(name): mean[name], f"{name}, ±": deviation[name]}
    return pd.DataFrame(columns)


def measures(by_network: pd.DataFrame, summary: pd.DataFrame) -> dict[str, Found]:
    """By layer; and `order`, by how many steps a layer settles later than the one below."""
    values: dict[str, Found] = {
        f"{str(column).replace(' ', '_')}/{layer}": float(row[column])
        for layer, row in summary.iterrows()
        for column in summary.columns
        if "±" not in column
    }
    return values | {"order": order(by_network)}


def order(by_network: pd.DataFrame) -> Measure:
    """The slope over the layers, by network; that of the other measures in the note."""
    columns = by_network.set_index(["network", "layer"])
    slopes = {str(name): stats.t_interval(slopes_of(rows)) for name, rows in columns.items()}
    found = slopes.pop(SETTLED)
    note = "; ".join(f"{name}: {each} points a layer" for name, each in slopes.items())
    networks = tuple(map(str, by_network["network"].unique()))
    return Measure(only(found), "networks", len(networks), networks, note=note)


def slopes_of(values: "pd.Series[float]") -> list[float]:
    """Of each network the least-squares slope over its layers; by network and layer, in order."""
    return [
        float(np.polyfit(range(len(rows)), rows, 1)[0])
        for _, rows in values.groupby(level="network", sort=False)
    ]


def report(summary: pd.DataFrame, settings: Config) -> str:
    shown = summary.rename_axis("layer").reset_index()
    return (
        f"# Figure 4: {settings['network']} and {len(settings['others'])} more seeds\n\n"
        "The paper's claim: lower layers settle within a few epochs, upper ones only much later.\n"
        "Settled: from the first of the kept steps on whose projections of a fixed image (a map's "
        f"strongest at the end) correlate {ALIKE} with the last one's. The other columns are in "
        "percent, means over the steps before the last: that correlation; linear CKA of the "
        f"layer's features of {COMPARED} images with its final ones (1 where it sees the same "
        "images as alike, whichever map says so); maps whose strongest image is another one than "
        "at the step before.\n\n"
        f"{markdown(shown)}"
    )
