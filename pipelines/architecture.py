"""Stage `architecture`: figure 6, layers 1 and 2 of ZFNet, without and with clipping, and AlexNet.

Writes results/figures/figure6/figure6.{png,pdf}; measures.{png,pdf}; filters.csv, a row a filter of
layer 1; measures.csv, a row a network; spectrum.csv; and measures.json and report.md, which compare
them over seeds.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from pipelines._figures import RESULTS, reader, recipe, stage, strongest_of, trained
from zfrepro import files
from zfrepro.analysis import architecture, features
from zfrepro.analysis.architecture import Bands, Floats
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import architecture as drawing
from zfrepro.report.mosaic import Picture
from zfrepro.report.tables import markdown

FIGURES = RESULTS / "figures" / "figure6"
KINDS = ("unclipped", "alexnet", "zfnet")
FIRST, SECOND = "conv1", "conv2"
RANKS = 3  # projections of each layer-2 map in the spectrum
CLAIMS = (  # measure, of which kind the paper says that it is the larger, than of which other
    ("dominance", "unclipped", "zfnet", "without clipping one filter dominates layer 1"),
    ("largest_share", "unclipped", "zfnet", "the same, by its share of the energy"),
    ("low", "alexnet", "zfnet", "11x11 at stride 4: extremely low frequencies"),
    ("high", "alexnet", "zfnet", "and extremely high ones"),
    ("middle", "zfnet", "alexnet", "with little in the middle"),
    ("blank", "alexnet", "zfnet", "more filters that show nothing"),
    ("dead", "alexnet", "zfnet", "more maps that tell nothing"),
    ("aliased", "alexnet", "zfnet", "layer 1 passes on what its stride cannot hold"),
    ("layer2_high", "alexnet", "zfnet", "which shows in layer 2 as detail that no image has"),
    ("grid_excess", "alexnet", "zfnet", "and as the stride's grid"),
)


@dataclass(frozen=True)
class Examined:
    """What one network gives: its measures, its filters and what layer 2 looks for."""

    kind: str
    seed: int
    stride: int
    weights: Picture  # (maps, 3, k, k)
    filters: pd.DataFrame
    shown: Picture  # (K, h, w, 3): the strongest projection of each map of layer 2
    spectrum: Floats
    measures: dict[str, float]


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    split, data = prepared.split(settings["split"]), prepared.manifest["digest"]
    bands = Bands(**settings["bands"])
    found = [
        examine(kind, network, split, data, bands)
        for kind in KINDS
        for network in settings[kind]
    ]  # fmt: skip
    shutil.rmtree(FIGURES, ignore_errors=True)
    table = pd.DataFrame({"kind": e.kind, "seed": e.seed, **e.measures} for e in found)
    spectra = pd.concat(spectrum_rows(found), ignore_index=True)
    tables = {"filters": pd.concat(filter_rows(found)), "measures": table, "spectrum": spectra}
    for name, rows in tables.items():
        with files.atomic_path(FIGURES / f"{name}.csv") as path:
            rows.to_csv(path, index=False, float_format="%.5g")
    draw(
        {kind: next(e for e in found if e.kind == kind) for kind in KINDS}, settings, table, spectra
    )
    means = table.drop(columns="seed").groupby("kind", sort=False).mean()
    flat = {
        f"{name}/{kind}": round(value, 4)
        for kind, row in means.to_dict("index").items()
        for name, value in row.items()
    }
    files.write_json(FIGURES / "measures.json", flat)
    files.atomic_write(FIGURES / "report.md", report(table, settings))


def examine(kind: str, network: str, split: Split, data: str, bands: Bands) -> Examined:
    """Looks at layers 1 and 2 of an experiment's network."""
    net = trained(network)
    deconvnet = Deconvnet(net.net)
    layer = net.net.get_submodule(FIRST)
    if not isinstance(layer, nn.Conv2d):
        raise ValueError(f"{network} has no convolution {FIRST}: figure 6 compares those")
    stride = layer.stride[0]
    strongest = strongest_of(network, net, split, deconvnet, [FIRST, SECOND], data)
    weights = layer.weight.detach().cpu().numpy()
    filters = architecture.filter_table(weights, stride, bands)
    rows = strongest[(strongest["layer"] == SECOND) & (strongest["rank"] <= RANKS)]
    numbers = np.unique(rows["image"].to_numpy())
    at = np.searchsorted(numbers, rows["image"].to_numpy())
    read = reader(net, split)
    projected = features.project_rows(deconvnet, SECOND, rows, at, read(numbers))
    windows = projected.pixels.cpu().numpy()
    power = architecture.spectrum(windows)
    measures = {
        **architecture.summary(filters),
        "dead": architecture.dead(strongest, FIRST, len(weights)),
        "layer2_high": architecture.fine_share(power, bands),
        "grid_excess": architecture.grid_excess(power, stride, windows.shape[3]),
    }
    first = windows[rows["rank"].to_numpy() == 1].transpose(0, 2, 3, 1)
    return Examined(kind, recipe(network)["seed"], stride, weights, filters, first, power, measures)


def filter_rows(found: list[Examined]) -> Iterator[pd.DataFrame]:
    for e in found:
        yield e.filters.assign(kind=e.kind, seed=e.seed, map=range(len(e.filters)))[
            ["kind", "seed", "map", *e.filters.columns]
        ]


def spectrum_rows(found: list[Examined]) -> Iterator[pd.DataFrame]:
    for e in found:
        yield pd.DataFrame({
            "kind": e.kind, "seed": e.seed, "frequency": architecture.frequencies(),
            "power": e.spectrum,
        })  # fmt: skip


def draw(
    shown: dict[str, Examined], settings: Config, table: pd.DataFrame, spectra: pd.DataFrame
) -> None:
    """The figure and its measures, of the first network of each kind."""
    unclipped, alexnet, zfnet = (shown[kind] for kind in KINDS)
    panels = {
        "(a) ZFNet without clipping, layer 1, one contrast": drawing.filters(
            unclipped.weights, together=True
        ),
        "(b) AlexNet, layer 1": drawing.filters(alexnet.weights, together=False),
        "(c) ZFNet, layer 1": drawing.filters(zfnet.weights, together=False),
        "(d) AlexNet, layer 2: strongest activations, projected": drawing.projections(
            alexnet.shown[: settings["maps"]]
        ),
        "(e) ZFNet, layer 2: strongest activations, projected": drawing.projections(
            zfnet.shown[: settings["maps"]]
        ),
    }
    drawing.draw(panels, FIGURES / "figure6")
    drawing.draw_measures(
        table,
        spectra[spectra["kind"] != "unclipped"],
        {kind: e.filters["rms"].tolist() for kind, e in shown.items()},
        {kind: e.stride for kind, e in shown.items()},
        FIGURES / "measures",
    )


def report(table: pd.DataFrame, settings: Config) -> str:
    rows = []
    for name, larger, smaller, claim in CLAIMS:
        values = {kind: table.loc[table["kind"] == kind, name] for kind in KINDS}
        rows.append({
            "measure": name,
            "the paper": f"{claim} ({larger} above {smaller})",
            **{kind: _with_spread(each) for kind, each in values.items()},
            "here": verdict(values[larger], values[smaller]),
        })  # fmt: skip
    counts = ", ".join(f"{len(settings[kind])} of {kind}" for kind in KINDS)
    bands = settings["bands"]
    return (
        f"# Figure 6: layers 1 and 2, over seeds ({counts})\n\n"
        "Mean and standard deviation over seeds; a difference counts where it is more than twice "
        "its standard error. Shares of energy are means over the filters that are not blank: low "
        f"frequencies are those below {bands['low']} cycles a pixel, high ones those from "
        f"{bands['high']} on.\n\n{markdown(pd.DataFrame(rows))}{_note_on_clipping(table)}"
    )


def _with_spread(values: "pd.Series[float]") -> str:
    return f"{values.mean():.3g}" + (f" ± {values.std():.2g}" if len(values) > 1 else "")


def verdict(larger: "pd.Series[float]", smaller: "pd.Series[float]") -> str:
    """Whether the first of two measures, one value a seed, is the larger, as the paper says."""
    difference = larger.mean() - smaller.mean()
    both = [larger, smaller]
    # a kind with a single seed is taken to spread as the other does
    spread = max((each.var() for each in both if len(each) > 1), default=0.0)
    error = sum((each.var() if len(each) > 1 else spread) / len(each) for each in both) ** 0.5
    if abs(difference) <= 2 * error:
        return "no difference"
    return "as in the paper" if difference > 0 else "the other way round"


def _note_on_clipping(table: pd.DataFrame) -> str:
    """Says so where the net without clipping is the clipped one of its seed, weight for weight."""
    unclipped = table[table["kind"] == "unclipped"].drop(columns="kind")
    same = unclipped.merge(table[table["kind"] == "zfnet"].drop(columns="kind"))
    if same.empty:
        return ""
    return (
        "\nThe net without clipping is the clipped one: in a training of this length no filter "
        "reaches the limit.\n"
    )


if __name__ == "__main__":
    stage("architecture", __doc__, run, "figures/figure6")
