"""Stage `atlas`: every map of figure 2's network, with its nine strongest images, as pages.

Writes results/atlas/: index.html, a page and a folder of pictures for each layer, and quiz.html.
"""

import shutil
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines._figures import RESULTS, pictures, reader, stage, trained
from zfrepro.analysis import features
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import atlas
from zfrepro.report.atlas import Layer, Map
from zfrepro.training import inputs
from zfrepro.training.trained import Trained

ATLAS = RESULTS / "atlas"
AT_ONCE = 16  # maps whose images and projections are in memory together


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    network = trained(settings["network"])
    split = prepared.split(settings["split"])
    deconvnet = Deconvnet(network.net)
    table = pd.read_parquet(RESULTS / "features" / f"{settings['network']}.parquet")
    shutil.rmtree(ATLAS, ignore_errors=True)
    layers = {}
    for name in deconvnet.chain.layers:
        if name in settings["layers"]:
            layer, side, maps = draw(deconvnet, network, table, split, name)
            layers[layer] = (side, maps)
    about = f"{len(split):,} {settings['split']} images"
    atlas.write_pages(ATLAS, settings["network"], about, layers)


def draw(
    deconvnet: Deconvnet, network: Trained, table: pd.DataFrame, split: Split, name: str
) -> tuple[Layer, int, Sequence[Map]]:
    """Draws a layer's maps; returns what its page says, and the side of a picture's cells."""
    one = deconvnet.chain.activations(reader(network, split)(np.array([0])), name)
    _, count, height, width = (*one.shape, 1, 1)[:4]
    rows = table[table["layer"] == name]
    firing = sorted(rows["map"].unique().tolist())
    side, maps = 0, []
    for start in range(0, len(firing), AT_ONCE):
        found = features.panels(
            deconvnet, rows, name, firing[start : start + AT_ONCE], reader(network, split),
            pictures(network, split),
        )  # fmt: skip
        for panel in found:
            file = f"{name}/{panel.map}.webp"
            side = atlas.write_picture(panel, ATLAS / file)
            paths, labels = split.paths_of(panel.images), split.labels[panel.images]
            images = [
                f"{inputs.class_name(network, label)}, {path}"
                for label, path in zip(labels.tolist(), paths, strict=True)
            ]
            numbers = panel.images.tolist()
            maps.append(Map(panel.map, file, panel.peaks.tolist(), numbers, images))
    field = deconvnet.chain.field(name)
    silent = tuple(sorted(set(range(count)) - set(firing)))
    sees = field.size if field else None
    return Layer(name, count, height, width, sees, silent), side, maps


if __name__ == "__main__":
    stage("atlas", __doc__, run, "atlas")
