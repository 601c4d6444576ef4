"""The atlas of the study's network: index.html, a page and a folder of pictures for each layer, and
quiz.html. The nine strongest images of each map are those of element `features`.
"""

import pandas as pd

from zfrepro.elements.atlas import pages
from zfrepro.elements.context import Context, Ints
from zfrepro.inference.inputs import class_name
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Outcome


def run(context: Context) -> Outcome:
    name, split = context.settings["network"], context.split
    network = context.trained(name)
    deconvnet = Deconvnet(network.net)
    table = pd.read_parquet(context.results.folder / "features" / f"{name}.parquet")
    labels = split.labels

    def captions(numbers: Ints) -> list[str]:
        names = [class_name(network, label) for label in labels[numbers].tolist()]
        paths = split.paths_of(numbers)
        return [f"{name}, {path}" for name, path in zip(names, paths, strict=True)]

    layers = {}
    for layer in deconvnet.chain.layers:
        if layer in context.settings["layers"]:
            found, side, maps = pages.draw_layer(
                deconvnet, table, layer, context.reader(network), context.pictures(network),
                captions, context.folder,
            )  # fmt: skip
            layers[found] = (side, maps)
    about = f"{len(split):,} {context.settings['split']} images"
    pages.write_pages(context.folder, name, about, layers)
    return Outcome()
