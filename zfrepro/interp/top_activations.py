"""The images that excite each map most, found in one pass over a set of any size (figure 2).

For every map of every layer: the nine images with the highest peak, or of the largest sum over the
map, and where in the map the peak lies. Memory does not grow with the number of images. The pass
goes in parts, each a file, so that a killed one goes on and several processes share one set.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from zfrepro.files import LockedError, exclusive, keep, kept
from zfrepro.interp.chain import Chain
from zfrepro.interp.graph import Graph
from zfrepro.interp.responses import visit

COUNT = 9
PART = 4096  # images: some seconds on a GPU, a minute on a CPU
PAUSE = 0.2  # seconds between two looks at what other processes have finished
COLUMNS = ["layer", "map", "rank", "image", "row", "column", "value"]

Strength = Literal["peak", "sum"]  # of a map's activations, what makes an image strong

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass
class Best:
    """Of one layer: for each of its maps the `count` strongest images, strongest first.

    Of equal ones that of the first image counts. A map that fires for fewer images has places
    with image -1.

    Args:
        peaks: (maps, count), or the sums, as `by` says.
        places: of the peaks, row * width + column in a map.
    """

    peaks: Floats
    images: Ints
    places: Ints
    width: int
    by: Strength = "peak"

    @classmethod
    def none(cls, maps: int, width: int, count: int = COUNT, by: Strength = "peak") -> Best:
        size = (maps, count)
        peaks, places = np.zeros(size, np.float32), np.zeros(size, np.int64)
        return cls(peaks, np.full(size, -1), places, width, by)

    def add(self, activations: Tensor, images: Ints) -> None:
        """Takes in a batch: activations (B, maps, h, w) or (B, maps) of B images.

        Only where an image gets among a map's strongest is the peak's place looked for.
        """
        maps = activations if activations.dim() == 4 else activations[:, :, None, None]
        peaks = maps.amax((2, 3)) if self.by == "peak" else maps.sum((2, 3))
        least = torch.from_numpy(self.peaks[:, -1]).to(peaks.device)
        found = ((peaks >= least) & (peaks > 0)).nonzero()
        if not len(found):
            return
        rows, columns = found[:, 0], found[:, 1]
        places = maps[rows, columns].flatten(1).argmax(1)
        self._take(
            columns.cpu().numpy(),
            peaks[rows, columns].cpu().numpy(),
            images[rows.cpu().numpy()],
            places.cpu().numpy(),
        )

    def _take(self, maps: Ints, values: Floats, images: Ints, places: Ints) -> None:
        old, kept = np.nonzero(self.images >= 0)
        maps = np.concatenate([old, maps])
        values = np.concatenate([self.peaks[old, kept], values])
        images = np.concatenate([self.images[old, kept], images])
        places = np.concatenate([self.places[old, kept], places])
        order = np.lexsort((images, -values, maps))
        maps = maps[order]
        rank = np.arange(len(maps)) - np.searchsorted(maps, maps)
        first = rank < self.peaks.shape[1]
        at = (maps[first], rank[first])
        for mine, all_of_them in (
            (self.peaks, values), (self.images, images), (self.places, places)
        ):  # fmt: skip
            mine[at] = all_of_them[order][first]


def strongest(
    chain: Chain | Graph,
    layers: Sequence[str],
    batches: Iterable[tuple[Ints, Tensor]],
    by: Strength = "peak",
) -> dict[str, Best]:
    """The strongest images of each map of `layers`, in one pass.

    Args:
        batches: the images' numbers (B,) and pixels (B, C, H, W).

    Raises:
        ChainError: no such layer.
    """
    for layer in layers:
        chain.field(layer)  # raises where there is none
    best: dict[str, Best] = {}
    for images, pixels in batches:

        def take(layer: str, x: Tensor, images: Ints = images) -> None:
            if layer not in best:
                width = x.shape[3] if x.dim() == 4 else 1
                best[layer] = Best.none(x.shape[1], width, by=by)
            best[layer].add(x, images)

        visit(chain, pixels, layers, take)
    return best


def to_table(best: Mapping[str, Best]) -> pd.DataFrame:
    """One line for each map and rank (from 1), with the columns `COLUMNS`, layer by layer."""
    parts = []
    for layer, found in best.items():
        maps, rank = np.nonzero(found.images >= 0)
        places = found.places[maps, rank]
        parts.append(
            pd.DataFrame({
                "layer": layer, "map": maps, "rank": rank + 1, "image": found.images[maps, rank],
                "row": places // found.width, "column": places % found.width,
                "value": found.peaks[maps, rank],
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def merged(tables: Iterable[pd.DataFrame], count: int = COUNT) -> pd.DataFrame:
    """One table of the strongest in all of them; they are of different images of one set."""
    joined: pd.DataFrame | None = None
    for table in tables:
        both = table if joined is None else pd.concat([joined, table], ignore_index=True)
        layers = pd.Categorical(both["layer"], categories=both["layer"].unique(), ordered=True)
        both = both.assign(layer=layers, order=-both["value"])
        both = both.sort_values(["layer", "map", "order", "image"], kind="stable")
        rank = both.groupby(["layer", "map"], observed=True).cumcount() + 1
        both = both.assign(rank=rank, layer=both["layer"].astype(str))
        joined = both[both["rank"] <= count][COLUMNS].reset_index(drop=True)
    if joined is None:
        raise ValueError("there is no table to merge")
    return joined


def collect(
    chain: Chain | Graph,
    layers: Sequence[str],
    images: int,
    read: Callable[[Ints], Tensor],
    folder: Path,
    *,
    batch: int = 64,
    part: int = PART,
    by: Strength = "peak",
    progress: str | None = None,
) -> pd.DataFrame:
    """The strongest of `images` images, numbered from 0, worked out in parts of `part` images.

    Each part becomes a file in `folder`; a part that is there is not done again. Any number of
    processes, on any machines that share the folder, may do this at once: each takes the parts
    that no other has, and all end with the same table.

    Args:
        read: pixels (B, C, H, W) of the images with these numbers (B,).
        folder: of this network, these images and layers, and of `by`, alone.
        by: what makes an image strong.
        progress: what the bar says; without it there is none.
    """
    files = [folder / f"{start:09}.parquet.gz" for start in range(0, images, part)]
    bar = tqdm(total=images, desc=progress, unit="image", disable=None if progress else True)
    missing = dict(zip(files, range(0, images, part), strict=True))
    with bar:
        while missing:
            for file, start in list(missing.items()):
                numbers = np.arange(start, min(start + part, images))
                if kept(file) is None:
                    try:
                        with exclusive(folder / f".{file.stem}", f"part {file.stem}"):
                            _part(chain, layers, numbers, read, file, batch, by)
                    except LockedError:
                        continue
                del missing[file]
                bar.update(len(numbers))
            if missing:  # what is left is in the hands of others
                time.sleep(PAUSE)
    return merged(pd.read_parquet(io.BytesIO(kept(file) or b"")) for file in files)


def _part(
    chain: Chain | Graph,
    layers: Sequence[str],
    numbers: Ints,
    read: Callable[[Ints], Tensor],
    file: Path,
    batch: int,
    by: Strength,
) -> None:
    if kept(file) is not None:  # another process was faster
        return
    pieces = (numbers[i : i + batch] for i in range(0, len(numbers), batch))
    table = to_table(strongest(chain, layers, ((piece, read(piece)) for piece in pieces), by))
    keep(file, table.to_parquet(index=False))
