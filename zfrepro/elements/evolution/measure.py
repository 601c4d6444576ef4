"""Figure 4: how what a map looks for changes while the network is trained, and when it settles.

Claim of the paper (section 4): lower layers settle within a few epochs, upper ones only after
40 to 50.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from zfrepro.elements.features.measure import project_rows
from zfrepro.interp.chain import Chain
from zfrepro.interp.deconv import Deconvnet, Picks

Ints = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.float32]
Read = Callable[[Ints], Tensor]


@dataclass(frozen=True)
class Moment:
    """One layer after some epoch.

    `windows` holds, by map, the projection (h, w, C) of its strongest activation over all images;
    a map that did not fire is missing.
    """

    epoch: int
    layer: str
    windows: Mapping[int, Pictures]


def first_places(table: pd.DataFrame, layer: str) -> pd.DataFrame:
    """Each firing map's strongest activation: rows of rank 1, by map."""
    rows = table[(table["layer"] == layer) & (table["rank"] == 1)]
    return rows.set_index("map", drop=False)


def moment(
    deconvnet: Deconvnet, table: pd.DataFrame, epoch: int, layer: str, maps: Sequence[int],
    read: Read,
) -> Moment:  # fmt: skip
    """The pictures of some maps after an epoch.

    Args:
        deconvnet: of the network as it was then.
        table: its strongest activations, of `top_activations.collect`.
        read: the network's input (B, C, H, W) for images of these numbers (B,).
    """
    best = first_places(table, layer)
    rows = best.loc[[number for number in maps if number in best.index]]
    if rows.empty:
        return Moment(epoch, layer, {})
    pixels = read(rows["image"].to_numpy(np.int64))  # row k is of the k-th image
    found = project_rows(deconvnet, layer, rows, np.arange(len(rows)), pixels)
    windows = found.pixels.permute(0, 2, 3, 1).cpu().numpy()
    return Moment(epoch, layer, dict(zip(rows["map"].tolist(), windows, strict=True)))


def fixed_images(deconvnet: Deconvnet, layer: str, maps: Sequence[int], images: Tensor) -> Tensor:
    """Map k's peak in image k, projected to the whole image: (K, C, H, W).

    Args:
        maps, images: K maps and one image for each, (K, C, H, W).
    """
    seen = deconvnet.see(images, layer)
    chosen, each = torch.tensor(list(maps)), torch.arange(len(maps))
    chosen, each = chosen.to(images.device), each.to(images.device)
    own = seen.values[each, chosen]  # noqa: PD011  (K, h, w), or (K,) of a linear layer
    width = own.shape[2] if own.dim() == 3 else 1
    peaks = own.reshape(len(each), -1).argmax(1)
    picks = Picks(each, chosen, peaks // width, peaks % width)
    return deconvnet.project(seen, picks).whole(*images.shape[2:])


def correlations(ones: Tensor, others: Tensor) -> npt.NDArray[np.float64]:
    """Pearson's correlation of each pair of pictures (K, C, H, W); 0 where one is constant."""
    flat = [each.double().flatten(1) for each in (ones, others)]
    centred = [each - each.mean(1, keepdim=True) for each in flat]
    norms = centred[0].norm(dim=1) * centred[1].norm(dim=1)
    products = (centred[0] * centred[1]).sum(1)
    found: npt.NDArray[np.float64] = torch.where(norms > 0, products / norms, 0.0).cpu().numpy()
    return found


def likenesses(chain: Chain, layers: Sequence[str], images: Tensor) -> dict[str, Tensor]:
    """How alike each two of N images are to a layer: inner products of its features, centred.

    They are centred without their diagonal (U-centred), so that `cka` of features that have nothing
    in common is 0 on average, however few the images and however wide the layer.

    Args:
        images: (N, C, H, W) of at least three images.

    Returns:
        By layer: (N, N), of double precision.
    """
    ends, found = {chain.end(layer): layer for layer in layers}, {}
    with torch.inference_mode():
        for i, step in enumerate(chain.steps[: max(ends)], start=1):
            images = step.run(images)
            if (layer := ends.get(i)) is not None:
                features = images.flatten(1)
                found[layer] = _centred((features @ features.T).double().cpu())
    return found


def _centred(products: Tensor) -> Tensor:
    """(N, N) whose rows and columns have the mean 0, its diagonal left out."""
    count = len(products)
    products = products - torch.diag(products.diag())
    sums = products.sum(1) / (count - 2)
    centred = products - sums[:, None] - sums[None] + sums.sum() / (count - 1)
    return centred - torch.diag(centred.diag())


def cka(ones: Tensor, others: Tensor) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019) of two layers, without its bias.

    1 where they see the same images as alike, whatever the turn and scale of their features; 0
    where the one tells nothing of the other, or where one does not tell images apart.

    Args:
        ones, others: (N, N) of `likenesses`, of the same images.
    """
    norms = float(ones.norm() * others.norm())
    return float((ones * others).sum()) / norms if norms > 0 else 0.0


def changed(before: pd.DataFrame, after: pd.DataFrame, layer: str) -> float:
    """Share of the layer's maps whose strongest image is another one; of maps that fire in both."""
    images = [first_places(table, layer)["image"] for table in (before, after)]
    both = images[0].index.intersection(images[1].index)
    if both.empty:
        return float("nan")
    return float((images[0][both].to_numpy() != images[1][both].to_numpy()).mean())
