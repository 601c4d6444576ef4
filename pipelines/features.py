"""Stage `features`: figure 2, what excites the maps of each layer, and where in the images.

Writes results/features/<network>.parquet, the nine strongest images of every map of every layer,
and results/figures/figure2/<layer>.{png,pdf}, for the first layer its filters too; and report.md.
"""

from pipelines._figures import RESULTS, pictures, reader, stage, strongest_of, trained
from zfrepro import files
from zfrepro.analysis import features
from zfrepro.analysis.chain import ChainError
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet
from zfrepro.report import features as drawing

FIGURES = RESULTS / "figures" / "figure2"


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    network = trained(settings["network"])
    split = prepared.split(settings["split"])
    deconvnet = Deconvnet(network.net)
    unknown = set(settings["maps"]) - set(deconvnet.chain.layers)
    if unknown:
        raise ChainError(f"{settings['network']} has no layer {', '.join(sorted(unknown))}")
    table = strongest_of(
        settings["network"], network, split, deconvnet, deconvnet.chain.layers,
        prepared.manifest["digest"],
    )  # fmt: skip
    with files.atomic_path(RESULTS / "features" / f"{settings['network']}.parquet") as path:
        table.assign(path=split.paths_of(table["image"].to_numpy())).to_parquet(path, index=False)
    for layer, count in settings["maps"].items():
        maps = features.choose_maps(table, layer, count, settings["seed"])
        found = features.panels(
            deconvnet, table, layer, maps, reader(network, split), pictures(network, split)
        )
        title = f"{settings['network']}, {layer}: strongest {settings['split']} images of each map"
        drawing.draw(found, FIGURES / layer, title, labels=settings["labels"])
    files.atomic_write(FIGURES / "report.md", report(settings))
    first = deconvnet.chain.layers[0]
    weights = network.net.state_dict()[f"{first}.weight"].cpu().numpy()
    drawing.draw_filters(
        weights, FIGURES / f"{first}_filters", f"{settings['network']}, filters of {first}"
    )


def report(settings: Config) -> str:
    shown = ", ".join(f"{count} of {layer}" for layer, count in settings["maps"].items())
    return (
        f"# Figure 2: {settings['network']}\n\nMaps drawn at random, {shown}, each with the nine "
        f"{settings['split']} images that excite it most. Every map is in the atlas, "
        "`results/atlas/index.html` (stage `atlas`), and on the page of `make look`.\n"
    )


if __name__ == "__main__":
    stage("features", __doc__, run, "figures/figure2")
