"""First weights: the paper's N(0, 0.01^2), with its signal scale kept at any width and crop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import sqrt
from typing import Any

import torch
from torch import nn

from zfrepro.models.geometry import smallest_crop, table

PAPER_DEVIATION = 0.01  # section 3
PAPER_CROP = 224


def deviations(
    layers: Mapping[str, Any], *, crop: int, pool: Mapping[str, Any], width: float
) -> dict[str, float]:
    """Standard deviation of each layer's first weights: 0.01 * sqrt(paper's fan-in / fan-in here).

    The paper's fan-in is that of the same table at width 1 and a 224 crop, so at that size each
    deviation is 0.01. A layer's signal grows with deviation * sqrt(fan-in): with a bare 0.01 it
    shrinks in every layer of a narrow net, whose loss then stays at ln(classes).
    """
    reference = max(PAPER_CROP, smallest_crop(layers, pool))
    here = table(layers, classes=1, crop=crop, pool=pool)
    paper = table(layers, classes=1, crop=reference, pool=pool)
    fans = [(row.name, row.fan_in, full.fan_in) for row, full in zip(here, paper, strict=True)]
    weighted = [(name, fan, full) for name, fan, full in fans if fan]
    scales = [1.0] + [width] * (len(weighted) - 1)  # the image's 3 channels do not widen
    return {
        name: PAPER_DEVIATION * sqrt(full / scale / fan)
        for (name, fan, full), scale in zip(weighted, scales, strict=True)
    }


def initialise(net: nn.Sequential, spread: Mapping[str, float], seed: int) -> None:
    """Draw the weights of the named layers from N(0, spread^2) and set their biases to 0, in place.

    Each layer draws from its own stream, made of seed and name: nets that share a layer of one
    shape and seed start from the same weights there, whatever else is removed or changed.
    """
    for name, deviation in spread.items():
        weight, bias = net.get_submodule(name).parameters()
        with torch.no_grad():
            drawn = torch.empty(weight.shape)
            drawn.normal_(0.0, deviation, generator=_stream(seed, name))
            weight.copy_(drawn)
            bias.zero_()


def _stream(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
