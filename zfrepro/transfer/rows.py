"""Images' features by blocks of rows, without the zeros that half of a triangular factor is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 1024  # rows


@dataclass(frozen=True)
class Rows:
    """A matrix (n, d), an image in each row.

    Args:
        blocks: its rows in order, each block (rows, width): what a row has beyond the width of its
            block is 0. The last block is the widest, of width d.
    """

    blocks: Sequence[Tensor]

    @classmethod
    def of(cls, features: Tensor) -> Rows:
        """All numbers (n, d) as they stand, none left out and none copied."""
        return cls(torch.split(features, BLOCK))

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Which rows, and their numbers."""
        start = 0
        for block in self.blocks:
            yield slice(start, start + len(block)), block
            start += len(block)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.blocks[-1].shape[1]

    @property
    def device(self) -> torch.device:
        return self.blocks[-1].device

    def zeros(self, *shape: int) -> Tensor:
        """Of this type and on this device."""
        return self.blocks[-1].new_zeros(shape)

    def times(self, weights: Tensor) -> Tensor:
        """The product (n, k) with weights (d, k)."""
        return torch.cat([block @ weights[: block.shape[1]] for block in self.blocks])

    def summed(self, shares: Tensor) -> Tensor:
        """(d, k): the sums of the rows, each times its shares (n, k)."""
        found = self.zeros(self.shape[1], shares.shape[1])
        for rows, block in self:
            found[: block.shape[1]].addmm_(block.T, shares[rows])
        return found
