"""Dropout that draws one mask for the global batch, however many processes share it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Inverted dropout: in training, each value is 0 with probability p, else divided by 1 - p.

    With `world` processes, rank r holds rows [r * b, (r + 1) * b) of a global batch of world * b
    rows. Every process draws the mask of all rows from torch's stream of the device and takes its
    own, so N processes that were seeded alike drop what one process would. (0, 1) is the ordinary
    dropout. The processes must hold equal numbers of rows.
    """

    def __init__(self, p: float, rank: int = 0, world: int = 1) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"model.dropout: {p} is not in [0, 1)")
        self.p = p
        self.shard(rank, world)

    def shard(self, rank: int, world: int) -> None:
        """Say which of `world` processes this is. Raises ValueError unless 0 <= rank < world."""
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is none of {world} processes")
        self.rank, self.world = rank, world

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of x (rows, ...); identity in evaluation."""
        if not self.training or self.p == 0:
            return x
        rows = x.shape[0]
        mask = torch.empty((self.world * rows, *x.shape[1:]), dtype=x.dtype, device=x.device)
        mask.bernoulli_(1 - self.p)
        return x * mask[self.rank * rows : (self.rank + 1) * rows].div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}, rank={self.rank}, world={self.world}"


def set_shard(net: nn.Module, rank: int, world: int) -> None:
    """Tell every dropout layer of the net which rows of the global batch this process holds."""
    for module in net.modules():
        if isinstance(module, Dropout):
            module.shard(rank, world)
