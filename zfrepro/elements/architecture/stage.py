"""Figure 6 with the study's networks.

Draws figure6.{png,pdf} and measures.{png,pdf}. Tables: filters, a row for each filter of layer
1; measures, a row for each network; spectrum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from zfrepro import stats
from zfrepro.config import Config
from zfrepro.elements.architecture import measure, plot
from zfrepro.elements.architecture.element import DRAWN, FIRST, KINDS, SECOND
from zfrepro.elements.architecture.measure import Bands, Floats
from zfrepro.elements.context import Context
from zfrepro.elements.features.measure import project_rows
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Found, Measure, Outcome, UntestedError, only
from zfrepro.render.mosaic import Picture
from zfrepro.render.tables import markdown

RANKS = 3  # projections of each layer-2 map in the spectrum


class Contrast(NamedTuple):
    """A measure and the kinds of network that the paper says differ in it."""

    measure: str
    larger: str
    smaller: str
    paper: str


CONTRASTS = (
    Contrast("dominance", "unclipped", "zfnet", "without clipping one filter dominates layer 1"),
    Contrast("largest_share", "unclipped", "zfnet", "the same, by its share of the energy"),
    Contrast("low", "alexnet", "zfnet", "11x11 at stride 4: extremely low frequencies"),
    Contrast("high", "alexnet", "zfnet", "and extremely high ones"),
    Contrast("middle", "zfnet", "alexnet", "with little in the middle"),
    Contrast("blank", "alexnet", "zfnet", "more filters that show nothing"),
    Contrast("dead", "alexnet", "zfnet", "more maps that tell nothing"),
    Contrast("aliased", "alexnet", "zfnet", "layer 1 passes on what its stride cannot hold"),
    Contrast("layer2_high", "alexnet", "zfnet", "which shows in layer 2 as detail of no image"),
    Contrast("grid_excess", "alexnet", "zfnet", "and as the stride's grid"),
    Contrast("grid_excess", "alexnet", "stride2", "which the stride of 4 causes"),
    Contrast("middle", "kernel7", "alexnet", "the kernel's share in the middle frequencies"),
)
# what a claim rests on: measure and kinds, by how much it is multiplied, what stands beside it
RESTS = {
    "clipping": (("dominance", "unclipped", "zfnet"), 1.0, "largest_share"),
    "dead": (("blank", "alexnet", "zfnet"), 100.0, "dead"),
    "frequencies": (("middle", "zfnet", "alexnet"), 100.0, "low"),
    "grid": (("grid_excess", "alexnet", "zfnet"), 1.0, "aliased"),
    "high_band": (("layer2_high", "alexnet", "zfnet"), 100.0, "high"),
    "stride": (("grid_excess", "alexnet", "stride2"), 1.0, "aliased"),
    "kernel": (("middle", "kernel7", "alexnet"), 100.0, "low"),
}


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


def run(context: Context) -> Outcome:
    settings = context.settings
    networks = dict.fromkeys(network for kind in KINDS for network in settings[kind])
    context.share_out(collect, list(networks))
    found = [
        examine(context, kind, network) for kind in KINDS for network in settings[kind]
    ]  # fmt: skip
    table = pd.DataFrame({"kind": e.kind, "seed": e.seed, **e.measures} for e in found)
    spectra = pd.concat(spectrum_rows(found), ignore_index=True)
    draw(
        context, {kind: next(e for e in found if e.kind == kind) for kind in DRAWN}, table, spectra
    )
    return Outcome(
        measures(table, settings),
        {"filters": pd.concat(filter_rows(found)), "measures": table, "spectrum": spectra},
        report(table, settings),
    )


def collect(context: Context, network: str) -> None:
    trained = context.trained(network)
    context.top_activations(network, trained, Deconvnet(trained.net), [FIRST, SECOND])


def examine(context: Context, kind: str, network: str) -> Examined:
    """Looks at layers 1 and 2 of an experiment's network."""
    bands = Bands(**context.settings["bands"])
    trained = context.trained(network)
    deconvnet = Deconvnet(trained.net)
    layer = trained.net.get_submodule(FIRST)
    if not isinstance(layer, nn.Conv2d):
        raise ValueError(f"{network} has no convolution {FIRST}: figure 6 compares those")
    stride = layer.stride[0]
    strongest = context.top_activations(network, trained, deconvnet, [FIRST, SECOND])
    weights = layer.weight.detach().cpu().numpy()
    filters = measure.filter_table(weights, stride, bands)
    rows = strongest[(strongest["layer"] == SECOND) & (strongest["rank"] <= RANKS)]
    numbers = np.unique(rows["image"].to_numpy())
    at = np.searchsorted(numbers, rows["image"].to_numpy())
    projected = project_rows(deconvnet, SECOND, rows, at, context.reader(trained)(numbers))
    windows = projected.pixels.cpu().numpy()
    power = measure.spectrum(windows)
    values = {
        **measure.summary(filters),
        "dead": measure.dead(strongest, FIRST, len(weights)),
        "layer2_high": measure.fine_share(power, bands),
        "grid_excess": measure.grid_excess(power, stride, windows.shape[3]),
    }
    first = windows[rows["rank"].to_numpy() == 1].transpose(0, 2, 3, 1)
    seed = context.results.run(network)["seed"]
    return Examined(kind, seed, stride, weights, filters, first, power, values)


def filter_rows(found: list[Examined]) -> Iterator[pd.DataFrame]:
    for e in found:
        yield e.filters.assign(kind=e.kind, seed=e.seed, map=range(len(e.filters)))[
            ["kind", "seed", "map", *e.filters.columns]
        ]


def spectrum_rows(found: list[Examined]) -> Iterator[pd.DataFrame]:
    for e in found:
        yield pd.DataFrame({
            "kind": e.kind, "seed": e.seed, "frequency": measure.frequencies(),
            "power": e.spectrum,
        })  # fmt: skip


def draw(
    context: Context, shown: dict[str, Examined], table: pd.DataFrame, spectra: pd.DataFrame
) -> None:
    """The figure and its measures, of the first network of each kind."""
    unclipped, alexnet, zfnet = (shown[kind] for kind in DRAWN)
    maps = context.settings["maps"]
    panels = {
        "(a) ZFNet without clipping, layer 1, one contrast": plot.filters(
            unclipped.weights, together=True
        ),
        "(b) AlexNet, layer 1": plot.filters(alexnet.weights, together=False),
        "(c) ZFNet, layer 1": plot.filters(zfnet.weights, together=False),
        "(d) AlexNet, layer 2: strongest activations, projected": plot.projections(
            alexnet.shown[:maps]
        ),
        "(e) ZFNet, layer 2: strongest activations, projected": plot.projections(
            zfnet.shown[:maps]
        ),
    }
    plot.draw(panels, context.folder / "figure6")
    plot.draw_measures(
        table[table["kind"].isin(DRAWN)],
        spectra[spectra["kind"].isin(("alexnet", "zfnet"))],
        {kind: e.filters["rms"].tolist() for kind, e in shown.items()},
        {kind: e.stride for kind, e in shown.items()},
        context.folder / "measures",
    )


def measures(table: pd.DataFrame, settings: Config) -> dict[str, Found]:
    """Each kind's means; and the differences that claims rest on, with intervals over networks."""
    means = table.drop(columns="seed").groupby("kind", sort=False).mean()
    values: dict[str, Found] = {
        f"{name}/{kind}": float(value)
        for kind, row in means.to_dict("index").items()
        for name, value in row.items()
    }
    contrasts = {each[:3]: each for each in CONTRASTS}
    for claim, (which, scale, beside) in RESTS.items():
        contrast = contrasts[which]
        name = contrast.measure
        if contrast.larger == "unclipped" and never_clipped(table):
            values[claim] = UntestedError(
                "no filter reaches the limit in so short a training: the network without clipping "
                "is the one with it, weight for weight"
            )
            continue
        if not table[name].any():
            values[claim] = UntestedError(f"{name} is 0 in every network: there is nothing to tell")
            continue
        networks = tuple(settings[contrast.larger]) + tuple(settings[contrast.smaller])
        note = f"{beside.replace('_', ' ')}: {difference(table, contrast, beside)}"
        found = difference(table, contrast, name, scale)
        values[claim] = Measure(only(found), "networks", len(networks), networks, note=note)
    return values


def difference(
    table: pd.DataFrame, contrast: Contrast, name: str, scale: float = 1.0
) -> stats.Interval:
    """By how much measure `name` of the one kind is above that of the other."""
    groups = {str(kind): list(rows[name]) for kind, rows in table.groupby("kind")}
    return stats.t_contrast(groups, {contrast.larger: scale, contrast.smaller: -scale})


def never_clipped(table: pd.DataFrame) -> bool:
    """Whether the network without clipping is the clipped one of its seed, weight for weight."""
    rows = {kind: rows.drop(columns="kind") for kind, rows in table.groupby("kind")}
    return len(rows["unclipped"].merge(rows["zfnet"])) > 0


def report(table: pd.DataFrame, settings: Config) -> str:
    rows = []
    for contrast in CONTRASTS:
        values = {kind: table.loc[table["kind"] == kind, contrast.measure] for kind in KINDS}
        rows.append({
            "measure": contrast.measure,
            "the paper": f"{contrast.paper} ({contrast.larger} above {contrast.smaller})",
            **{kind: _with_spread(each) for kind, each in values.items()},
            "difference": str(difference(table, contrast, contrast.measure)),
        })  # fmt: skip
    counts = ", ".join(f"{len(settings[kind])} of {kind}" for kind in KINDS)
    bands = settings["bands"]
    note = (
        "\nThe net without clipping is the clipped one: in a training of this length no filter "
        "reaches the limit.\n"
    )
    return (
        f"# Figure 6: layers 1 and 2, over seeds ({counts})\n\n"
        "Mean and standard deviation over seeds; the difference has a 95 % interval over networks. "
        "Shares of energy are means over the filters that are not blank: low frequencies are those "
        f"below {bands['low']} cycles a pixel, high ones those from {bands['high']} on.\n\n"
        f"{markdown(pd.DataFrame(rows))}{note * never_clipped(table)}"
    )


def _with_spread(values: "pd.Series[float]") -> str:
    return f"{values.mean():.3g}" + (f" ± {values.std():.2g}" if len(values) > 1 else "")
