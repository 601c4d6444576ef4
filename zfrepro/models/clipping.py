"""Filter clipping (section 3): no filter of a convolution outgrows the others."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

PAPER_MAX_RMS = 0.1


def convolutions(net: nn.Module) -> list[nn.Conv2d]:
    """The net's convolution layers, which are what the paper clips."""
    return [module for module in net.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def clip_filters(convs: Iterable[nn.Conv2d], max_rms: float = PAPER_MAX_RMS) -> None:
    """Rescale, in place, each filter whose RMS exceeds max_rms to exactly that RMS.

    A filter is the weights of one output map, (in / groups, kernel, kernel); its RMS is the square
    root of the mean of their squares. No value leaves the device, so a GPU is not waited for.
    """
    for conv in convs:
        weight = conv.weight
        norm = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        limit = max_rms * weight[0].numel() ** 0.5
        weight.mul_((limit / norm).clamp_(max=1.0))  # a filter of zeros gives inf, so 1
