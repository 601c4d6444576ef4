"""What a network makes of images at several layers, and at its end, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.graph import Graph

Layers = dict[str, Tensor]  # of each layer (N, maps, h, w) or (N, units)


def ends(chain: Chain, layers: Sequence[str]) -> dict[str, int]:
    """How many steps of the chain make each layer.

    Raises:
        ChainError: no such layer, as where an ablation has removed it.
    """
    missing = [layer for layer in layers if all(layer != step.name for step in chain.steps)]
    if missing:
        raise ChainError(
            f"there is no layer {', '.join(missing)} (an experiment may have removed it): the "
            f"network has {', '.join(chain.layers)}"
        )
    return {layer: chain.end(layer) for layer in layers}


@torch.inference_mode()
def respond(chain: Chain | Graph, images: Tensor, layers: Sequence[str]) -> tuple[Layers, Tensor]:
    """The activations of `layers`, and the logits (N, classes).

    Of a chain after their ReLU; of a graph the very output of the module that is named.

    Raises:
        ChainError: no such layer.
    """
    if isinstance(chain, Graph):
        return chain.respond(images, layers)
    wanted, x = ends(chain, layers), images
    found: Layers = {}
    for i, step in enumerate(chain.steps, start=1):
        x = step.run(x)
        found |= {layer: x for layer, end in wanted.items() if end == i}
    return found, x
