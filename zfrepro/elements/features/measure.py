"""Figure 2: a map's nine strongest images, each beside the pixels that excited it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
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

ENERGY = 0.95  # of a projection, that a picture of it shows

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
    picks = Picks(torch.tensor(at), *places_of(rows))
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


def cut_by_relus(
    deconvnet: Deconvnet, table: pd.DataFrame, layer: str, maps: Sequence[int],
    read: Callable[[Ints], Tensor],
) -> dict[str, float]:  # fmt: skip
    """As `Deconvnet.cut`, of the projections that `panels` shows."""
    rows = table[(table["layer"] == layer) & table["map"].isin(maps)]
    if rows.empty:
        return {}
    numbers, at = np.unique(rows["image"].to_numpy(), return_inverse=True)
    picks = Picks(torch.from_numpy(at), *places_of(rows))
    return deconvnet.cut(deconvnet.see(read(numbers), layer), picks)


def places_of(rows: pd.DataFrame) -> Iterator[Tensor]:
    """Maps, rows and columns, int64 (K,), of the activations that `rows` name."""
    return (torch.tensor(rows[column].to_numpy(np.int64)) for column in ("map", "row", "column"))


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


def focused(panel: Panel, share: float = ENERGY) -> Panel:
    """The part of each window in which the projection is, all of one size, within the image.

    It is the smallest square that holds `share` of the energy (squared values) on average over the
    projections, around the centre of each one's energy, and moved off the image's edge where the
    image has room for it. A panel that has no smaller square stays as it is.
    """
    energy = (panel.projections.astype(np.float64) ** 2).sum(3)
    total = energy.sum((1, 2))
    known = ~np.isnan(panel.patches[..., 0])
    limits = [[_ends(each.any(axis)) for each in known] for axis in (1, 0)]
    # sums over all squares from the corner: of any square four of them
    corner = np.pad(energy, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)

    def places(side: int) -> list[Ints]:
        """The first rows and the first columns of the squares of this side."""
        found = []
        for axis, size in ((2, energy.shape[1]), (1, energy.shape[2])):
            along = energy.sum(axis)
            centre = (along * (np.arange(size) + 0.5)).sum(1) / np.maximum(total, 1e-300)
            centre[total == 0] = size / 2
            ends = np.array(limits[2 - axis])
            first, last = ends[:, 0], ends[:, 1] - side
            start = np.rint(centre - side / 2).astype(np.int64)
            inside = np.clip(start, first, np.maximum(first, last))
            found.append(np.clip(np.where(last >= first, inside, start), 0, size - side))
        return found

    def held(side: int) -> float:
        rows, columns = places(side)
        k, below, right = np.arange(len(energy)), rows + side, columns + side
        sums = corner[k, below, right] - corner[k, rows, right] - corner[k, below, columns]
        sums += corner[k, rows, columns]
        return float((sums[total > 0] / total[total > 0]).mean())

    if not total.any():
        return panel
    most = min(energy.shape[1:])
    side = bisect_left(range(1, most), share, key=held) + 1
    cuts = [(slice(r, r + side), slice(c, c + side)) for r, c in zip(*places(side), strict=True)]
    projections, patches = (
        np.stack([each[cut] for each, cut in zip(pictures, cuts, strict=True)])
        for pictures in (panel.projections, panel.patches)
    )
    return replace(panel, projections=projections, patches=patches)


def _ends(known: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The first and one past the last that is True; the whole where none is."""
    at = np.flatnonzero(known)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, len(known))


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
