"""The atlas of the study's network: index.html, a page and a folder of pictures for each layer, and
quiz.html. The nine strongest images of each map are those of element `features`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zfrepro.elements.atlas import pages
from zfrepro.elements.atlas.pages import Layer, Map
from zfrepro.elements.context import Context
from zfrepro.elements.features import measure
from zfrepro.inference.inputs import class_name
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Outcome
from zfrepro.training.trained import Trained

AT_ONCE = 16  # maps whose images and projections are in memory together


def run(context: Context) -> Outcome:
    name, split = context.settings["network"], context.split
    network = context.trained(name)
    deconvnet = Deconvnet(network.net)
    table = pd.read_parquet(context.results.folder / "features" / f"{name}.parquet")
    layers = {}
    for layer in deconvnet.chain.layers:
        if layer in context.settings["layers"]:
            found, side, maps = draw(context, deconvnet, network, table, layer)
            layers[found] = (side, maps)
    about = f"{len(split):,} {context.settings['split']} images"
    pages.write_pages(context.folder, name, about, layers)
    return Outcome()


def draw(
    context: Context, deconvnet: Deconvnet, network: Trained, table: pd.DataFrame, name: str
) -> tuple[Layer, int, Sequence[Map]]:
    """Draws a layer's maps; returns what its page says, and the side of a picture's cells."""
    split, read, show = context.split, context.reader(network), context.pictures(network)
    one = deconvnet.chain.activations(read(np.array([0])), name)
    _, count, height, width = (*one.shape, 1, 1)[:4]
    rows = table[table["layer"] == name]
    firing = sorted(rows["map"].unique().tolist())
    side, maps = 0, []
    for start in range(0, len(firing), AT_ONCE):
        some = firing[start : start + AT_ONCE]
        for panel in measure.panels(deconvnet, rows, name, some, read, show):
            file = f"{name}/{panel.map}.webp"
            side = pages.write_picture(panel, context.folder / file)
            paths, labels = split.paths_of(panel.images), split.labels[panel.images]
            images = [
                f"{class_name(network, label)}, {path}"
                for label, path in zip(labels.tolist(), paths, strict=True)
            ]
            numbers = panel.images.tolist()
            maps.append(Map(panel.map, file, panel.peaks.tolist(), numbers, images))
    field = deconvnet.chain.field(name)
    silent = tuple(sorted(set(range(count)) - set(firing)))
    sees = field.size if field else None
    return Layer(name, count, height, width, sees, silent), side, maps
