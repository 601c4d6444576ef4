"""Draws figure 4, maps in rows and epochs in columns, and the curves of convergence."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from zfrepro.elements.evolution.measure import Moment
from zfrepro.files import atomic_path
from zfrepro.render import mosaic
from zfrepro.render.mosaic import GREY, Picture
from zfrepro.render.style import plt, save

CELL = 72  # pixels of one projection
CURVES = {
    "correlation": "correlation with the final projection of the same image",
    "cka": "linear CKA with the layer's final features",
    "changed": "share of maps whose strongest image changed since the step before",
}


def draw(moments: Sequence[Moment], maps: Sequence[int], path: Path, title: str) -> None:
    """One layer: its maps in rows, the moments' epochs in columns."""
    tiles = [tile(moment, number) for number in maps for moment in moments]
    picture = mosaic.grid(tiles, len(moments), gap=3)
    height, width = picture.shape[:2]
    inches = 0.75 * len(moments) + 0.5
    figure, axis = plt.subplots(
        figsize=(inches, inches * height / width + 0.5), layout="constrained"
    )
    axis.imshow(picture, interpolation="none")
    step = CELL + 3
    axis.set_xticks(
        [CELL / 2 + step * i for i in range(len(moments))], [str(m.epoch) for m in moments]
    )
    axis.set_yticks([CELL / 2 + step * i for i in range(len(maps))], [f"map {m}" for m in maps])
    axis.tick_params(length=0, labelsize=7)
    axis.spines[:].set_visible(False)
    axis.set_xlabel("epoch", fontsize=8)
    axis.set_title(title, fontsize=9)
    save(figure, path)


def write_series(moments: Sequence[Moment], maps: Sequence[int], folder: Path) -> None:
    """For each epoch one picture of the layer's maps, in two rows, `epoch-00012.png`."""
    for moment in moments:
        strip = mosaic.grid([tile(moment, number) for number in maps], ceil(len(maps) / 2), gap=3)
        with atomic_path(folder / f"epoch-{moment.epoch:05}.png") as temporary:
            Image.fromarray((strip * 255).round().astype(np.uint8)).save(temporary, format="png")


def tile(moment: Moment, number: int) -> Picture:
    """A map's projection by a contrast of its own; plain grey where it did not fire."""
    if number not in moment.windows:
        return np.full((CELL, CELL, 3), GREY, dtype=np.float32)
    window = moment.windows[number]
    return mosaic.enlarge(mosaic.signed(window), CELL, smooth=window.shape[1] > 16)


def draw_convergence(table: pd.DataFrame, path: Path, title: str) -> None:
    """A curve for each layer, with the spread over seeds.

    Args:
        table: columns seed, layer, step, correlation, cka and changed.
    """
    figure, axes = plt.subplots(1, len(CURVES), figsize=(14, 4), layout="constrained")
    layers = table["layer"].unique()
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(layers)))
    markers = "os^Dv<>p"
    for axis, (column, label) in zip(axes, CURVES.items(), strict=True):
        for i, layer in enumerate(layers):
            by_step = table[table["layer"] == layer].groupby("step")[column]
            mean, deviation = by_step.mean(), by_step.std().fillna(0)
            axis.plot(
                mean.index, mean, color=colours[i], marker=markers[i % len(markers)],
                markersize=4, label=layer,
            )  # fmt: skip
            axis.fill_between(
                mean.index, mean - deviation, mean + deviation, color=colours[i], alpha=0.15
            )
        axis.set(xlabel="step", xscale="log", ylabel="\n".join(_wrapped(label)))
        steps = sorted(table["step"].unique())
        axis.set_xticks(steps, [str(step) for step in steps], fontsize=7)
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def _wrapped(text: str) -> tuple[str, str]:
    words = text.split()
    half = (len(words) + 1) // 2
    return " ".join(words[:half]), " ".join(words[half:])
