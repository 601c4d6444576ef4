"""Figure 2 with the study's network.

Draws <layer>.{png,pdf}, for the first layer its filters too; and writes
results/features/<network>.parquet, the nine strongest images of every map of every layer.
"""

from zfrepro import files
from zfrepro.config import Config
from zfrepro.elements.context import Context
from zfrepro.elements.features import measure, plot
from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Outcome


def run(context: Context) -> Outcome:
    settings, name = context.settings, context.settings["network"]
    network = context.trained(name)
    deconvnet = Deconvnet(network.net)
    unknown = set(settings["maps"]) - set(deconvnet.chain.layers)
    if unknown:
        raise ChainError(f"{name} has no layer {', '.join(sorted(unknown))}")
    table = context.top_activations(name, network, deconvnet, deconvnet.chain.layers)
    with files.atomic_path(context.results.folder / "features" / f"{name}.parquet") as path:
        paths = context.split.paths_of(table["image"].to_numpy())
        table.assign(path=paths).to_parquet(path, index=False)
    read, show = context.reader(network), context.pictures(network)
    for layer, count in settings["maps"].items():
        maps = measure.choose_maps(table, layer, count, settings["seed"])
        found = measure.panels(deconvnet, table, layer, maps, read, show)
        title = f"{name}, {layer}: strongest {settings['split']} images of each map"
        plot.draw(found, context.folder / layer, title, labels=settings["labels"])
    first = deconvnet.chain.layers[0]
    weights = network.net.state_dict()[f"{first}.weight"].cpu().numpy()
    plot.draw_filters(weights, context.folder / f"{first}_filters", f"{name}, filters of {first}")
    return Outcome(text=report(settings))


def report(settings: Config) -> str:
    shown = ", ".join(f"{count} of {layer}" for layer, count in settings["maps"].items())
    return (
        f"# Figure 2: {settings['network']}\n\nMaps drawn at random, {shown}, each with the nine "
        f"{settings['split']} images that excite it most. Every map is in the atlas, "
        "`results/atlas/index.html` (stage `atlas`), and on the page of `make look`.\n"
    )
