"""What a network makes of images at several layers, and at its end, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zfrepro.analysis.chain import Chain

Layers = dict[str, Tensor]  # of each layer (N, maps, h, w) or (N, units)


@torch.inference_mode()
def respond(chain: Chain, images: Tensor, layers: Sequence[str]) -> tuple[Layers, Tensor]:
    """The activations of `layers`, after their ReLU, and the logits (N, classes).

    Raises:
        ChainError: no such layer.
    """
    ends = {layer: chain.end(layer) for layer in layers}
    found, x = {}, images
    for i, step in enumerate(chain.steps, start=1):
        x = step.run(x)
        found |= {layer: x for layer, end in ends.items() if end == i}
    return found, x
