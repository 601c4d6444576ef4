"""Whether hiding a part changes the features of different faces alike (section 4.3, table 1).

Of each image a square over a part is greyed, and e = x - x_masked taken at a layer. Two images
agree in a feature where their e have the same sign; the Hamming distance of the signs, per feature
and averaged over pairs of images, is small where the same part does the same everywhere.

The sign of 0 is 0, a third value that agrees with itself alone. Most features are 0 behind their
ReLU with and without the mask, so this counts them as agreeing, as a distance of signs as such
does. Then masks that change little agree much: `disagreement` counts only the features that change
in both images, and is 0.5 for signs at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from zfrepro import stats
from zfrepro.data.annotations import Box, Point
from zfrepro.interp.chain import Chain
from zfrepro.interp.graph import Graph
from zfrepro.interp.responses import respond

RANDOM = "random"
ON_OBJECT = "random_on_object"  # the control: places that are of the object, but of no part
ROUNDING = 1e-6  # of an image's largest activation
PARTS = ("right_eye", "left_eye", "nose")  # the paper's

Pairs = npt.NDArray[np.float64]  # (N, N), of two images each
Corners = npt.NDArray[np.int64]  # (N, 2): first row and column of a square


class NoRoomError(ValueError):
    """No place for a random square beside the landmarks."""


def corners(points: Sequence[Point], side: int, crop: int) -> Corners:
    """Squares about points of a crop, moved inside it where they would reach over its edge."""
    at = np.array([(point.y, point.x) for point in points]) - side / 2
    found: Corners = np.clip(np.floor(at + 0.5), 0, crop - side).astype(np.int64)
    return found


def random_corners(
    taken: Corners, side: int, crop: int, draws: int, rng: np.random.Generator,
    within: Box | None = None,
) -> Corners:  # fmt: skip
    """Squares (draws, 2) of one image anywhere in the crop that touch none of the squares `taken`.

    Args:
        within: where their centres lie.

    Raises:
        NoRoomError: there is no such place.
    """
    free = np.ones((crop - side + 1, crop - side + 1), dtype=bool)
    for top, left in taken:
        free[max(top - side + 1, 0) : top + side, max(left - side + 1, 0) : left + side] = False
    if within is not None:
        centres = np.arange(len(free)) + side / 2
        rows = (centres >= within.top) & (centres < within.bottom)
        free &= rows[:, None] & (centres >= within.left) & (centres < within.right)
    places = np.argwhere(free)
    if not len(places):
        raise NoRoomError(
            f"squares of {side} pixels about the landmarks leave no room for another in {crop}"
        )
    chosen: Corners = places[rng.integers(len(places), size=draws)]
    return chosen


def masked(images: Tensor, grey: Tensor, squares: Corners, side: int) -> Tensor:
    """The images (N, C, H, W) with grey (C, H, W) in one square each."""
    covered = images.clone()
    for image, (top, left) in zip(covered, squares.tolist(), strict=True):
        here = slice(top, top + side), slice(left, left + side)
        image[:, *here] = grey[:, *here]
    return covered


@dataclass(frozen=True)
class Consistency:
    """Of one mask and layer: for each draw of places and each pair of N images.

    Args:
        hamming, disagreement: (draws, N, N); one draw where the mask lies on a part.
        changed: share of features that the mask changes, (draws, N).
    """

    hamming: Pairs
    disagreement: Pairs
    changed: npt.NDArray[np.float64]


Found = dict[tuple[str, str], Consistency]  # by part and layer


def consistency(
    chain: Chain | Graph,
    images: Tensor,
    grey: Tensor,
    landmarks: Sequence[Mapping[str, Point]],
    side: int,
    layers: Sequence[str],
    *,
    draws: int,
    seed: int,
    boxes: Sequence[Box] | None = None,
    batch: int = 64,
) -> Found:
    """How alike each part's mask changes the features of all images, and masks at random places.

    Args:
        images, grey: the network's input (N, C, H, W), and the same for grey (C, H, W).
        landmarks: of each image, in pixels; the same names for all.
        side: of the square that hides a part, in pixels.
        boxes: of each image's object, for a control: random places on it. None: there is none.

    Raises:
        ChainError: no such layer.
        NoRoomError: landmarks that leave no room for a random place.
    """
    clean = _features(chain, images, layers, batch)
    found: dict[tuple[str, str], list[Tensor]] = {}
    for name, squares in placed(
        landmarks, side, images.shape[-1], draws=draws, seed=seed, boxes=boxes
    ):
        hidden = _features(chain, masked(images, grey, squares, side), layers, batch)
        for layer in layers:
            found.setdefault((name, layer), []).append(_signs(clean[layer], hidden[layer]))
    return {
        key: Consistency(
            np.stack([hamming(each) for each in signs]),
            np.stack([disagreement(each) for each in signs]),
            np.stack([(each != 0).double().mean(1).cpu().numpy() for each in signs]),
        )
        for key, signs in found.items()
    }


def placed(
    landmarks: Sequence[Mapping[str, Point]], side: int, crop: int, *, draws: int, seed: int,
    boxes: Sequence[Box] | None = None,
) -> Iterator[tuple[str, Corners]]:  # fmt: skip
    """A square in each image: on each part, and then for each draw at random places.

    With boxes also at random places within them, where each image has room for one.
    """
    rng = np.random.default_rng(seed)
    taken = np.stack([corners(list(each.values()), side, crop) for each in landmarks])
    for i, name in enumerate(landmarks[0]):
        yield name, taken[:, i]
    anywhere = np.stack([random_corners(each, side, crop, draws, rng) for each in taken])
    for draw in range(draws):
        yield RANDOM, anywhere[:, draw]
    if boxes is None:
        return
    with suppress(NoRoomError):
        on_object = np.stack([
            random_corners(each, side, crop, draws, rng, box)
            for each, box in zip(taken, boxes, strict=True)
        ])  # fmt: skip
        for draw in range(draws):
            yield ON_OBJECT, on_object[:, draw]


def _signs(clean: Tensor, hidden: Tensor) -> Tensor:
    """int8 (N, features): of the change; 0 where it is as small as rounding."""
    change = clean - hidden
    least = ROUNDING * clean.abs().amax(1, keepdim=True)
    return change.where(change.abs() > least, 0).sign().to(torch.int8)


def _features(
    chain: Chain | Graph, images: Tensor, layers: Sequence[str], batch: int
) -> dict[str, Tensor]:
    parts = [respond(chain, part, layers)[0] for part in torch.split(images, batch)]
    return {layer: torch.cat([part[layer].flatten(1) for part in parts]) for layer in layers}


def hamming(signs: Tensor) -> Pairs:
    """Share of features whose signs (N, features) differ, for each pair of images."""
    same = np.sum([_products(signs == value) for value in (-1, 0, 1)], axis=0)
    distance: Pairs = 1 - same / signs.shape[1]
    return distance


def disagreement(signs: Tensor) -> Pairs:
    """Of the features that change in both images, the share that changes in opposite directions.

    NaN where two images have none.
    """
    changed, signed = _products(signs != 0), _products(signs)
    with np.errstate(invalid="ignore"):
        share: Pairs = (1 - signed / changed) / 2
    return share


def _products(rows: Tensor) -> Pairs:
    """The inner product of each two rows."""
    wide = rows.float()
    products: Pairs = (wide @ wide.T).cpu().double().numpy()
    return products


def table(
    networks: Sequence[Found], layers: Sequence[str], measure: str = "hamming"
) -> pd.DataFrame:
    """Table 1, a row a part: of each layer mean, deviation over pairs and a 95 % interval.

    Mean and interval are of each pair's average over draws and networks. The deviation is that of
    single pairs, of one draw and network.

    Args:
        measure: a field of `Consistency`, hamming or disagreement.
    """
    rows = []
    for part in dict.fromkeys(part for part, _ in networks[0]):
        row: dict[str, object] = {"occlusion": part}
        for layer in layers:
            pairs = _pairs(networks, part, layer, measure)
            interval = stats.bootstrap_pairs(mean_of(pairs))
            ends = (interval.mean, _deviation(pairs), interval.low, interval.high)
            names = ("mean", "std", "low", "high")
            row |= {f"{layer}_{name}": end for name, end in zip(names, ends, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def _pairs(networks: Sequence[Found], part: str, layer: str, measure: str) -> Pairs:
    """Of all networks and draws, (networks * draws, N, N)."""
    pairs: Pairs = np.concatenate([getattr(found[part, layer], measure) for found in networks])
    return pairs


def _deviation(pairs: Pairs) -> float:
    """Over the pairs of one draw, as the root of the mean variance."""
    apart = pairs[:, ~np.eye(pairs.shape[-1], dtype=bool)]
    variances = [known.var() for each in apart if len(known := each[~np.isnan(each)])]
    return float(np.sqrt(np.mean(variances))) if variances else float("nan")


def no_table(layers: Sequence[str], parts: Sequence[str] = PARTS) -> pd.DataFrame:
    """The same where there is nothing to measure: NaN throughout."""
    names = [f"{layer}_{name}" for layer in layers for name in ("mean", "std", "low", "high")]
    empty = pd.DataFrame(np.nan, index=range(len(parts) + 1), columns=names)
    empty.insert(0, "occlusion", [*parts, RANDOM])
    return empty


def against_random(
    networks: Sequence[Found], part: str, layer: str, measure: str = "hamming"
) -> stats.Interval:
    """How much more random places differ than a part; above 0: the part corresponds.

    Args:
        measure: a field of `Consistency`.
    """
    return stats.bootstrap_pairs(below_random(networks, part, layer, measure))


def below_random(
    networks: Sequence[Found], part: str, layer: str, measure: str = "hamming", places: str = RANDOM
) -> Pairs:
    """The same pair by pair, (N, N); `places` are those that the part is compared with."""
    random, mine = (mean_of(_pairs(networks, name, layer, measure)) for name in (places, part))
    below: Pairs = random - mine
    return below


def mean_of(draws: Pairs) -> Pairs:
    """Over the draws, (N, N); NaN where no draw has a value."""
    known = ~np.isnan(draws)
    mean: Pairs = np.where(known, draws, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)
    return mean
