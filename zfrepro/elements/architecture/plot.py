"""Draws figure 6: the first two layers of the nets side by side, and what was measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfrepro.render import mosaic
from zfrepro.render.mosaic import Picture
from zfrepro.render.style import log_scale, plt, save

CELL = 44  # pixels of a filter in the picture, at least
LOOKS = {  # of a kind of net: its name, and a colour and a dash that grey print tells apart too
    "unclipped": ("ZFNet, not clipped", "#d55e00", "dotted"),
    "alexnet": ("AlexNet, 11x11, stride 4", "#1f1f1f", "solid"),
    "zfnet": ("ZFNet, 7x7, stride 2", "#3a8fd0", "dashed"),
}
BANDS = ("low", "middle", "high")


def filters(weights: Picture, *, together: bool) -> Picture:
    """Filters (maps, 3, k, k) as one grid.

    Args:
        together: by one contrast, so that a filter that dominates does so here; else each by its
            own, so that what it looks for shows.
    """
    shown = np.moveaxis(weights, 1, -1)
    contrasted = mosaic.signed(shown, 100) if together else [mosaic.signed(f, 100) for f in shown]
    return _square([mosaic.enlarge(each, CELL, smooth=False) for each in contrasted])


def projections(windows: Picture) -> Picture:
    """Projections (K, h, w, 3) as one grid, each by its own contrast."""
    side = max(CELL, windows.shape[2])
    return _square([mosaic.enlarge(mosaic.signed(each), side, smooth=True) for each in windows])


def _square(pictures: Sequence[Picture]) -> Picture:
    return mosaic.grid(pictures, ceil(len(pictures) ** 0.5), gap=3)


def draw(panels: Mapping[str, Picture], path: Path) -> None:
    """The paper's five panels by title: three above, two below."""
    figure = plt.figure(figsize=(11, 9.4), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(1, 1.35))
    places = [grid[0, 0:2], grid[0, 2:4], grid[0, 4:6], grid[1, 0:3], grid[1, 3:6]]
    for place, (title, picture) in zip(places, panels.items(), strict=True):
        axis = figure.add_subplot(place)
        axis.imshow(picture, interpolation="none")
        axis.set_axis_off()
        axis.set_title(title, fontsize=9, loc="left")
    save(figure, path)


def draw_measures(
    table: pd.DataFrame, spectra: pd.DataFrame, sizes: Mapping[str, Sequence[float]],
    strides: Mapping[str, int], path: Path,
) -> None:  # fmt: skip
    """Layer 1's filters by size and by frequency, and the spectrum of layer 2's projections.

    Args:
        table: a row a network: `kind`, `seed` and the measures.
        spectra: `kind`, `frequency` and `power`, a row for each frequency and seed.
        sizes: by kind, of one network, each filter's root mean square.
        strides: by kind, of layer 1.
    """
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    _draw_sizes(axes[0], sizes)
    _draw_bands(axes[1], table)
    _draw_spectra(axes[2], spectra, strides)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    _legend(figure, axes[0])
    save(figure, path)


def _draw_sizes(axis: Axes, sizes: Mapping[str, Sequence[float]]) -> None:
    for kind, values in sizes.items():
        name, colour, dash = LOOKS[kind]
        ordered = np.sort(values)[::-1]
        axis.plot(
            100 * np.arange(len(ordered)) / len(ordered), ordered, color=colour, linestyle=dash,
            label=name,
        )  # fmt: skip
    log_scale(axis)
    axis.set(
        xlabel="filters of layer 1, largest first (%)", ylabel="root mean square of the weights"
    )


def _draw_bands(axis: Axes, table: pd.DataFrame) -> None:
    kinds = [kind for kind in LOOKS if kind in set(table["kind"])]
    width = 0.8 / len(kinds)
    for i, kind in enumerate(kinds):
        rows = 100 * table.loc[table["kind"] == kind, list(BANDS)]
        places = np.arange(len(BANDS)) + (i - (len(kinds) - 1) / 2) * width
        axis.bar(
            places, rows.mean(), width, yerr=rows.std().fillna(0), color=LOOKS[kind][1],
            capsize=2, edgecolor="black", linewidth=0.5, hatch=("..", "", "//")[i % 3],
        )  # fmt: skip
    axis.set_xticks(range(len(BANDS)), BANDS)
    axis.set(xlabel="frequencies", ylabel="energy of layer 1's filters (%)")


def _draw_spectra(axis: Axes, spectra: pd.DataFrame, strides: Mapping[str, int]) -> None:
    for kind, (name, colour, dash) in LOOKS.items():
        mine = spectra[spectra["kind"] == kind]
        if mine.empty:
            continue
        mean = mine.groupby("frequency")["power"].mean()
        axis.plot(mean.index, mean, color=colour, linestyle=dash, label=name)
        for tooth in range(1, strides[kind] // 2 + 1):
            axis.axvline(tooth / strides[kind], color=colour, linestyle=dash, linewidth=0.6)
    log_scale(axis)
    axis.set(
        xlabel="cycles a pixel; thin lines: grid of layer 1's stride",
        ylabel="power in projections of layer 2",
    )


def _legend(figure: Figure, axis: Axes) -> None:
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
