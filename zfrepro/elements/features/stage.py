"""Figure 2 with the study's network.

Draws <layer>.{png,pdf}, for the first layer its filters too; and writes
results/features/<network>.parquet, the nine strongest images of every map of every layer. Tables:
likeness, of each map shown; cut, what the ReLUs on the way down cut off.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from zfrepro import files, stats
from zfrepro.config import Config
from zfrepro.elements.context import Context, Ints
from zfrepro.elements.features import measure, plot
from zfrepro.elements.features.measure import Panel
from zfrepro.inference.untrained import untrained
from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Control, Found, Measure, Outcome, UntestedError, only
from zfrepro.render import tables
from zfrepro.training.trained import Trained

UNTRAINED = "the same network before its training"

Floats = npt.NDArray[np.float64]


def run(context: Context) -> Outcome:
    settings, name = context.settings, context.settings["network"]
    context.share_out(collect, [name])
    network, by = context.trained(name), settings["strongest_by"]
    (deconvnet, table), (blank, before) = strongest(context, network)
    with files.atomic_path(context.results.folder / "features" / f"{name}.parquet") as path:
        paths = context.split.paths_of(table["image"].to_numpy())
        table.assign(path=paths).to_parquet(path, index=False)
    read, show = context.reader(network), context.pictures(network)
    rows, cuts = [], []
    for layer, count in settings["maps"].items():
        maps = measure.choose_maps(table, layer, count, settings["seed"])
        found = measure.panels(deconvnet, table, layer, maps, read, show)
        title = f"{name}, {layer}: strongest {settings['split']} images of each map"
        plot.draw(found, context.folder / layer, title, labels=settings["labels"], by=by)
        others = measure.choose_maps(before, layer, count, settings["seed"])
        control = measure.panels(blank, before, layer, others, read, show)
        rows += [likeness_of(each, trained=True) for each in found]
        rows += [likeness_of(each, trained=False) for each in control]
        for net, best, shown in ((deconvnet, table, maps), (blank, before, others)):
            shares = measure.cut_by_relus(net, best, layer, shown, read)
            of = {"layer": layer, "trained": net is deconvnet}
            cuts += [{**of, "relu": relu, "share": share} for relu, share in shares.items()]
    first = deconvnet.chain.layers[0]
    weights = network.net.state_dict()[f"{first}.weight"].cpu().numpy()
    plot.draw_filters(weights, context.folder / f"{first}_filters", f"{name}, filters of {first}")
    likeness, cut = pd.DataFrame(rows), pd.DataFrame(cuts)
    labels = context.split.labels
    return Outcome(
        {
            "variation": variation(likeness, name),
            **purities(table, before, labels, list(settings["maps"]), name),
        },
        {"likeness": likeness, "cut": cut},
        report(settings, cut),
    )


def collect(context: Context, network: str) -> None:
    strongest(context, context.trained(network))


def strongest(context: Context, network: Trained) -> list[tuple[Deconvnet, pd.DataFrame]]:
    """The strongest activations of a network, and of the same before its training.

    Raises:
        ChainError: it lacks a layer that is to be shown.
    """
    name, maps, by = (context.settings[key] for key in ("network", "maps", "strongest_by"))
    beginning = untrained(network)
    deconvnet, blank = Deconvnet(network.net), Deconvnet(beginning.net)
    layers = deconvnet.chain.layers
    if unknown := set(maps) - set(layers):
        raise ChainError(f"{name} has no layer {', '.join(sorted(unknown))}")
    return [
        (deconvnet, context.top_activations(name, network, deconvnet, layers, by=by)),
        (blank, context.top_activations(name, beginning, blank, list(maps), epoch=0, by=by)),
    ]


def likeness_of(panel: Panel, *, trained: bool) -> dict[str, object]:
    """How alike a map's projections are, and the patches that they are of."""
    return {
        "layer": panel.layer,
        "map": panel.map,
        "trained": trained,
        "projections": measure.likeness(panel.projections),
        "patches": measure.likeness(panel.patches),
    }


def variation(likeness: pd.DataFrame, network: str) -> Measure:
    """How much more alike a map's projections are than the patches, over the maps shown."""
    known = likeness.dropna()
    more = (known["projections"] - known["patches"]).to_numpy(np.float64)
    return against_untrained(more[known["trained"]], more[~known["trained"]], network)


def purities(
    table: pd.DataFrame, before: pd.DataFrame, labels: Ints, layers: list[str], network: str
) -> dict[str, Found]:
    """By layer the mean share of a map's nine images that are of one class; and how much larger it
    is in the last layer than in the first.
    """
    trained, untrained = (
        {layer: measure.purity(each, labels, layer) for layer in layers} for each in (table, before)
    )
    values: dict[str, Found] = {
        f"purity/{layer}": stats.bootstrap(each) for layer, each in trained.items() if len(each)
    }
    return values | {"purity/deeper": deeper(trained, untrained, layers, network)}


def deeper(
    trained: Mapping[str, Floats], untrained: Mapping[str, Floats], layers: Sequence[str],
    network: str,
) -> Measure | UntestedError:  # fmt: skip
    """How much purer the last layer's maps are than the first's, of which each has values (M,)."""
    first, last = layers[0], layers[-1]
    if not all(len(each[layer]) for each in (trained, untrained) for layer in (first, last)):
        return UntestedError("a layer has no map with nine images")
    ours, alone = (
        stats.bootstrap_difference(each[last], each[first]) for each in (trained, untrained)
    )
    control = Control(UNTRAINED, alone, stats.difference_of(ours, alone))
    maps = len(trained[first]) + len(trained[last])
    return Measure(only(ours), "maps", maps, (network,), control=control)


def against_untrained(ours: Floats, theirs: Floats, network: str) -> Measure:
    """The mean over maps, and over those of the network before its training."""
    found, alone = stats.bootstrap(ours), stats.bootstrap(theirs)
    control = Control(UNTRAINED, alone, stats.bootstrap_difference(ours, theirs))
    return Measure(only(found), "maps", len(ours), (network,), control=control)


def cut_table(cut: pd.DataFrame) -> str:
    """In percent, a row a layer that is projected, a column a ReLU below it."""
    trained = cut[cut["trained"]]
    wide = trained.pivot_table(index="layer", columns="relu", values="share", sort=False) * 100
    return tables.markdown(wide.map("{:.0f}".format).replace("nan", "").reset_index())


def report(settings: Config, cut: pd.DataFrame) -> str:
    shown = ", ".join(f"{count} of {layer}" for layer, count in settings["maps"].items())
    return (
        f"# Figure 2: {settings['network']}\n\nMaps drawn at random, {shown}, each with the nine "
        f"{settings['split']} images that excite it most. Every map is in the atlas, "
        "`results/atlas/index.html` (stage `atlas`), and on the page of `make look`.\n\n"
        "On the way down each ReLU sets what is negative to 0. Of the values that come down to it, "
        f"in percent (before the training: cut.csv):\n\n{cut_table(cut)}"
    )
