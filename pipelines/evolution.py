"""Stage `evolution`: figure 4, what maps look for after some epochs, and when that settles.

Writes results/figures/figure4/<layer>.{png,pdf}; series/<layer>/epoch-<number>.png;
convergence.{csv,png,pdf} over all the networks; settled.csv, when each layer of each has settled;
and measures.json and report.md, which compare the layers.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipelines._figures import RESULTS, RUNS, reader, recipe, stage, strongest_of, trained
from zfrepro import files
from zfrepro.analysis import evolution, features
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import evolution as drawing
from zfrepro.report.tables import markdown
from zfrepro.training import archive

FIGURES = RESULTS / "figures" / "figure4"
FIXED = 32  # maps of a layer whose projections are compared
ALIKE = 0.8  # correlation from which on two projections count as the same


class Snapshot(NamedTuple):
    """A network as it was after an epoch, and its strongest activations over all images."""

    epoch: int
    weights: Path
    table: pd.DataFrame


class History:
    """A run's network, put back to any of its snapshots."""

    def __init__(self, network: str, split: Split, settings: Config, data: str) -> None:
        folder = RUNS / network
        self.network = network
        self.seed: int = recipe(network)["seed"]
        self.trained = trained(network)
        self.deconvnet = Deconvnet(self.trained.net)
        self.read = reader(self.trained, split)
        kept = sorted((folder / "snapshots").glob("epoch-*.pt"))
        if not kept:
            raise FileNotFoundError(
                f"{folder}/snapshots has no weights: `training.snapshots` of {network} names epochs"
            )
        self.snapshots = []
        for path in kept:
            epoch = int(path.stem.removeprefix("epoch-"))
            self.put_back(path)
            table = strongest_of(
                network, self.trained, split, self.deconvnet, settings["layers"], data, epoch=epoch
            )
            self.snapshots.append(Snapshot(epoch, path, table))

    def put_back(self, weights: Path) -> None:
        self.trained.net.load_state_dict(archive.read(weights))


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    split, data = prepared.split(settings["split"]), prepared.manifest["digest"]
    shutil.rmtree(FIGURES, ignore_errors=True)
    rows: list[dict[str, object]] = []
    for network in (settings["network"], *settings["others"]):
        history = History(network, split, settings, data)
        if network == settings["network"]:
            draw(history, settings)
        for layer in settings["layers"]:
            rows += convergence(history, layer)
    table = pd.DataFrame(rows)
    with files.atomic_path(FIGURES / "convergence.csv") as path:
        table.to_csv(path, index=False, float_format="%.4g")
    title = f"{settings['network']} and {len(settings['others'])} more seeds: mean and deviation"
    drawing.draw_convergence(table, FIGURES / "convergence", title)
    by_network = settled(table)
    with files.atomic_path(FIGURES / "settled.csv") as path:
        by_network.to_csv(path, index=False, float_format="%.6g")
    summary = over_seeds(by_network)
    files.write_json(FIGURES / "measures.json", measures(summary))
    files.atomic_write(FIGURES / "report.md", report(summary, settings))


def draw(history: History, settings: Config) -> None:
    last = history.snapshots[-1].table
    for layer in settings["layers"]:
        maps = features.choose_maps(last, layer, settings["maps"], settings["seed"])
        moments = []
        for epoch, weights, table in history.snapshots:
            history.put_back(weights)
            moments.append(
                evolution.moment(history.deconvnet, table, epoch, layer, maps, history.read)
            )
        title = f"{history.network}, {layer}: each map's strongest activation over all images"
        drawing.draw(moments, maps, FIGURES / layer, title)
        drawing.write_series(moments, maps, FIGURES / "series" / layer)


def convergence(history: History, layer: str) -> Iterator[dict[str, object]]:
    """How like the end each snapshot is: the mean over maps, one row a snapshot."""
    end = history.snapshots[-1]
    best = evolution.first_places(end.table, layer).iloc[:FIXED]
    images = history.read(best["image"].to_numpy())
    maps = best["map"].tolist()
    history.put_back(end.weights)
    final = evolution.fixed_images(history.deconvnet, layer, maps, images)
    before = None
    for epoch, weights, table in history.snapshots:
        history.put_back(weights)
        now = evolution.fixed_images(history.deconvnet, layer, maps, images)
        yield {
            "network": history.network,
            "seed": history.seed,
            "layer": layer,
            "epoch": epoch,
            "correlation": evolution.correlations(now, final).mean(),
            "changed": None if before is None else evolution.changed(before, table, layer),
        }
        before = table


def settled(table: pd.DataFrame) -> pd.DataFrame:
    """A row a layer and network (percent, but for the epoch).

    The first epoch whose projections correlate `ALIKE` with the last's; the mean correlation of the
    epochs before the last; the mean share of maps whose strongest image changed between two.
    """
    rows = []
    for (layer, network), curve in table.groupby(["layer", "network"], sort=False):
        before = curve[curve["epoch"] < curve["epoch"].max()]
        rows.append({
            "layer": layer,
            "network": network,
            "settled at epoch": float(curve.loc[curve["correlation"] >= ALIKE, "epoch"].min()),
            "correlation before the end": 100 * before["correlation"].mean(),
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


def measures(summary: pd.DataFrame) -> dict[str, float]:
    return {
        f"{str(column).replace(' ', '_')}/{layer}": round(float(row[column]), 4)
        for layer, row in summary.iterrows()
        for column in summary.columns
        if "±" not in column
    }


def report(summary: pd.DataFrame, settings: Config) -> str:
    shown = summary.rename_axis("layer").reset_index()
    verdicts = "".join(
        f"* by *{name}*: {verdict(summary[name], sooner_is)}\n"
        for name, sooner_is in (
            ("settled at epoch", "less"),
            ("correlation before the end", "more"),
            ("strongest image changed", "less"),
        )
    )
    return (
        f"# Figure 4: {settings['network']} and {len(settings['others'])} more seeds\n\n"
        "The paper's claim: lower layers settle within a few epochs, upper ones only much later.\n"
        "Settled: from the first of the kept epochs on whose projections of a fixed image (a map's "
        f"strongest at the end) correlate {ALIKE} with the last epoch's. Here\n\n{verdicts}\n"
        f"{markdown(shown)}"
    )


def verdict(values: "pd.Series[float]", sooner_is: str) -> str:
    """Which layers settle first, by the rank correlation of a measure with depth."""
    depth = pd.Series(range(len(values)), index=values.index, dtype=float)
    correlation = float(depth.corr(values.rank())) if values.max() > values.min() else 0.0
    later = correlation if sooner_is == "less" else -correlation
    if abs(later) <= 0.5:
        order = "no order"
    else:
        order = "lower layers first" if later > 0 else "upper layers first"
    return f"{order} (rank correlation of depth and lateness {later:+.2f})"


if __name__ == "__main__":
    stage("evolution", __doc__, run, "figures/figure4")
