"""`python -m tools.cover`: composes docs/figure.jpg, README's picture, from results.

Of each convolution some of the maps that figure 2 shows, and below how some maps of layer 5 came
about, from figure 4.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from zfrepro.data.store import PreparedSet
from zfrepro.elements.evolution.plot import CELL
from zfrepro.elements.features import measure as features
from zfrepro.elements.features.measure import Panel
from zfrepro.files import atomic_path
from zfrepro.interp.deconv import Deconvnet
from zfrepro.render import mosaic
from zfrepro.render.mosaic import Picture
from zfrepro.render.style import plt
from zfrepro.training.trained import centred, load

PROJECT = Path(__file__).resolve().parent.parent
MAPS = 4  # of each layer
SIDE = 70  # pixels of a projection, or a patch, that is shown at half of that
FULL = np.float32(255)
STRIPS = (3,)  # of the maps of the last layer that figure 4 shows
WIDTH, DPI, QUALITY = 12.0, 150, 80


def rows(project: Path) -> dict[str, Picture]:
    """A row a layer: projections beside patches of the first maps that figure 2 shows.

    Raises:
        FileNotFoundError: stage `features` has not run.
    """
    results = project / "results"
    recipe = json.loads((results / "figures" / "figure2" / "recipe.json").read_text("utf-8"))
    network = load(results / "runs" / recipe["network"] / "weights.pt")
    split = PreparedSet.open(results / "prepared" / "source").split(recipe["split"])
    table = pd.read_parquet(results / "features" / f"{recipe['network']}.parquet")
    deconvnet, found = Deconvnet(network.net), {}
    for layer, count in recipe["maps"].items():
        maps = features.choose_maps(table, layer, count, recipe["seed"])[:MAPS]
        panels = features.panels(
            deconvnet, table, layer, maps,
            lambda numbers: centred(network, split.read(numbers, crop=network.crop)),
            lambda numbers: split.read(numbers, crop=network.crop).astype(np.float32) / FULL,
        )  # fmt: skip
        found[layer] = mosaic.grid([compose(panel) for panel in panels], MAPS, gap=28)
    return found


def compose(panel: Panel) -> Picture:
    """A map: 3 x 3 projections, each by its own contrast, beside the 3 x 3 patches."""
    panel = features.focused(panel)
    smooth = panel.projections.shape[2] > 12
    left, right = (
        mosaic.grid([mosaic.enlarge(each, SIDE, smooth) for each in pictures], 3, rows=3)
        for pictures in (
            [mosaic.signed(each, 98.5) for each in panel.projections],
            panel.patches,
        )
    )
    return mosaic.beside(left, right, gap=4)


def strips(project: Path) -> tuple[list[int], Picture]:
    """The epochs of figure 4, and `STRIPS` of its maps through them.

    Raises:
        FileNotFoundError: stage `evolution` has not run.
    """
    folder = project / "results" / "figures" / "figure4"
    recipe = json.loads((folder / "recipe.json").read_text("utf-8"))
    paths = sorted((folder / "series" / recipe["layers"][-1]).glob("epoch-*.png"))
    pictures = [np.asarray(Image.open(path), dtype=np.float32) / FULL for path in paths]
    columns = (pictures[0].shape[1] + 3) // (CELL + 3)
    tiles = [
        picture[row * (CELL + 3) :, column * (CELL + 3) :][:CELL, :CELL]
        for strip in STRIPS
        for row, column in [divmod(strip, columns)]
        for picture in pictures
    ]
    epochs = [int(path.stem.removeprefix("epoch-")) for path in paths]
    return epochs, mosaic.grid(tiles, len(pictures), gap=3)


def draw(layers: dict[str, Picture], epochs: Sequence[int], strip: Picture, path: Path) -> None:
    shapes = [*(each.shape for each in layers.values()), strip.shape]
    heights = [shape[0] / shape[1] for shape in shapes]
    figure, axes = plt.subplots(
        len(shapes), 1, figsize=(WIDTH, WIDTH * sum(heights) * 0.98), layout="constrained",
        height_ratios=heights,
    )  # fmt: skip
    for axis, (layer, picture) in zip(axes, layers.items(), strict=False):
        show(axis, picture, layer.replace("conv", "layer "))
    show(axes[-1], strip, f"{list(layers)[-1].replace('conv', 'layer ')},\nby epoch")
    step = CELL + 3
    axes[-1].set_xticks([CELL / 2 + step * i for i in range(len(epochs))], list(map(str, epochs)))
    figure.set_layout_engine("constrained", h_pad=0.06, hspace=0.0)
    with atomic_path(path) as temporary:
        figure.savefig(
            temporary, format="jpg", dpi=DPI, pil_kwargs={"quality": QUALITY, "optimize": True}
        )
    plt.close(figure)


def show(axis: Any, picture: Picture, label: str) -> None:
    axis.imshow(picture, interpolation="antialiased")
    axis.set_ylabel(label, fontsize=15)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.tick_params(length=0, labelsize=13)
    axis.spines[:].set_visible(False)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    try:
        draw(rows(PROJECT), *strips(PROJECT), PROJECT / "docs" / "figure.jpg")
    except FileNotFoundError as missing:
        sys.exit(f"error: there is no {missing.filename}: `dvc repro` makes it")


if __name__ == "__main__":
    main()
