"""Figure 2: a map's nine strongest images, each beside the pixels that excited it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from zfrepro.interp.deconv import Deconvnet, Picks, Projections
from zfrepro.interp.graph_deconv import GraphDeconvnet
from zfrepro.interp.top_activations import COUNT

GRAPHS = 8  # images whose graphs are in memory together: some 40 MB each of a ResNet-18

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """One map of a layer.

    `projections` are float32 (n, h, w, C), in units of the input; `patches` the same windows of the
    images, float32 (n, h, w, C) between 0 and 1, NaN where a window reaches over the image's edge.
    `peaks` are the activations (n,), `images` their numbers. Strongest first; n is 9 or, for a map
    that fires less often, fewer.
    """

    layer: str
    map: int
    projections: npt.NDArray[np.float32]
    patches: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.float32]
    images: Ints


def choose_maps(table: pd.DataFrame, layer: str, count: int, seed: int) -> list[int]:
    """A random subset of the layer's maps, in order; the same for each `seed`.

    Of those that fire for as many images as are kept of a map; where they are too few, of all that
    fire at all.
    """
    kept = table.loc[table["layer"] == layer].groupby("map")["rank"].max()
    often = kept[kept == kept.max()]
    firing = np.sort((often if len(often) >= count else kept).index.to_numpy())
    rng = np.random.default_rng([seed, *layer.encode()])
    drawn = rng.choice(firing, min(count, len(firing)), replace=False)
    return [int(number) for number in np.sort(drawn)]


def panels(
    deconvnet: Deconvnet | GraphDeconvnet,
    table: pd.DataFrame,
    layer: str,
    maps: Sequence[int],
    read: Callable[[Ints], Tensor],
    show: Callable[[Ints], npt.NDArray[np.float32]],
) -> list[Panel]:
    """The panels of some of a layer's maps.

    Args:
        table: the strongest activations, of `top_activations.collect`.
        read: the network's input (B, C, H, W) for images of these numbers (B,).
        show: the same crops as one looks at them, (B, H, W, C) between 0 and 1.
    """
    rows = table[(table["layer"] == layer) & table["map"].isin(maps)]
    numbers = np.sort(rows["image"].unique())
    at = np.searchsorted(numbers, rows["image"].to_numpy())
    projected = project_rows(deconvnet, layer, rows, at, read(numbers))
    pictures = show(numbers)[at]
    found = []
    for number in maps:
        mine = np.flatnonzero(rows["map"].to_numpy() == number)
        part = rows.iloc[mine]
        index = torch.from_numpy(mine).to(projected.pixels.device)
        windows = Projections(
            projected.pixels[index], projected.tops[index], projected.lefts[index]
        )
        found.append(
            Panel(
                layer,
                number,
                windows.pixels.permute(0, 2, 3, 1).float().cpu().numpy(),
                windows_of(pictures[mine], windows),
                part["value"].to_numpy(np.float32),
                part["image"].to_numpy(),
            )
        )
    return found


def project_rows(
    deconvnet: Deconvnet | GraphDeconvnet,
    layer: str,
    rows: pd.DataFrame,
    at: Ints,
    pixels: Tensor,
) -> Projections:
    """Projections of the activations that `rows` name; row k is of the image pixels[at[k]]."""
    places = (torch.tensor(rows[column].to_numpy(np.int64)) for column in ("map", "row", "column"))
    picks = Picks(torch.tensor(at), *places)
    if isinstance(deconvnet, Deconvnet):
        return deconvnet.project(deconvnet.see(pixels, layer), picks)
    # of few images at a time: the graph keeps all that each has been
    found, order = [], []
    for first in range(0, len(pixels), GRAPHS):
        seen = deconvnet.see(pixels[first : first + GRAPHS], layer)
        mine = ((picks.images >= first) & (picks.images < first + GRAPHS)).nonzero().flatten()
        part = picks[mine]
        found.append(deconvnet.project(seen, replace(part, images=part.images - first)))
        order.append(mine)
    back = torch.cat(order).argsort()
    parts = ([getattr(each, name) for each in found] for name in ("pixels", "tops", "lefts"))
    return Projections(*(torch.cat(part)[back] for part in parts))


def windows_of(pictures: npt.NDArray[np.float32], windows: Projections) -> npt.NDArray[np.float32]:
    """The part of each picture (n, H, W, C) that a window covers; NaN beyond the edge."""
    height, width = windows.pixels.shape[2:]
    cut = np.full((len(pictures), height, width, pictures.shape[3]), np.nan, dtype=np.float32)
    places = zip(windows.tops.tolist(), windows.lefts.tolist(), strict=True)
    for out, picture, (top, left) in zip(cut, pictures, places, strict=True):
        source = picture[max(top, 0) : top + height, max(left, 0) : left + width]
        down, right = max(-top, 0), max(-left, 0)
        out[down : down + source.shape[0], right : right + source.shape[1]] = source
    return cut


def purity(table: pd.DataFrame, labels: Ints, layer: str) -> npt.NDArray[np.float64]:
    """Of each map (M,) that fires for as many images as are kept: the share of its commonest class.

    Args:
        table: the strongest activations, of `top_activations.collect`.
        labels: of all images, (N,).
    """
    rows = table[table["layer"] == layer]
    classes = pd.Series(labels[rows["image"].to_numpy()], index=rows["map"].to_numpy())
    by_map = [each.value_counts() for _, each in classes.groupby(level=0) if len(each) == COUNT]
    return np.array([each.iloc[0] / COUNT for each in by_map], dtype=np.float64)


def likeness(windows: npt.NDArray[np.float32]) -> float:
    """How alike pictures (n, h, w, C) are: the mean correlation of two of them.

    Of the pixels that all have: NaN counts in none. NaN where one is constant, or there is one.
    """
    flat = windows.reshape(len(windows), -1).astype(np.float64)
    known = flat[:, ~np.isnan(flat).any(0)]
    if len(known) < 2 or known.shape[1] < 2:
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        found: npt.NDArray[np.float64] = np.atleast_2d(np.corrcoef(known))
    return float(found[np.triu_indices(len(known), 1)].mean())
