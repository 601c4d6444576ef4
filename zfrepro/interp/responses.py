"""What a network makes of images at several layers, and at its end, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.graph import Graph, Take

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


@torch.inference_mode()
def visit(chain: Chain | Graph, images: Tensor, layers: Sequence[str], take: Take) -> None:
    """Hands the activations of `layers` to `take` as they are made; what is above is not run.

    Args:
        take: gets a layer's name and its activations, as of `respond`.

    Raises:
        ChainError: no such layer.
    """
    if isinstance(chain, Graph):
        chain.visit(images, layers, take, ends=True)
        return
    wanted, x = ends(chain, layers), images
    for i, step in enumerate(chain.steps[: max(wanted.values())], start=1):
        x = step.run(x)
        for layer in (name for name, end in wanted.items() if end == i):
            take(layer, x)
