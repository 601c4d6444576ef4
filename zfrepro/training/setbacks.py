"""When a training has lost what it had learned, and how it goes back to before."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LOST = 0.5  # of what the loss had gained on chance: more than that is a jump, and no noise
GAINED = 0.05  # of chance: below that nothing has been learned that could be lost
GIVEN_UP = "given_up"  # of an epoch's row: 1 where its weights were thrown away, else 0


def chance(labels: npt.NDArray[np.int64]) -> float:
    """The loss of a net that knows nothing but how frequent each class is: their entropy."""
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def is_lost(loss: float, before: Sequence[float], chance: float) -> bool:
    """Whether an epoch's training loss says that what had been learned is gone.

    It is no number, or it gives back more than half of what the best epoch before had gained on
    chance.

    Args:
        before: the losses of the epochs that counted.
    """
    if not math.isfinite(loss):
        return True
    best = min(before, default=chance)
    return best < (1 - GAINED) * chance and loss > best + LOST * (chance - best)


def best(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """The row of the least validation error, the first of equals, of the epochs that counted."""
    return min(counted(history), key=lambda row: row["val/top1"])


def counted(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """The rows whose weights were not thrown away; all where every one's were."""
    return [row for row in history if not row.get(GIVEN_UP)] or list(history)


class Spread:
    """Whether a net still tells images apart: a dead one gives all of them the same logits."""

    def __init__(self) -> None:
        self._ends: tuple[Tensor, Tensor] | None = None
        self._images = 0

    def add(self, logits: Tensor) -> None:
        """Counts a batch (B, classes)."""
        low, high = logits.min(0).values, logits.max(0).values
        if self._ends is not None:
            low, high = torch.minimum(low, self._ends[0]), torch.maximum(high, self._ends[1])
        self._ends = low, high
        self._images += len(logits)

    def is_none(self) -> Tensor:
        """1 where all logits since the last call were the same for several images, else 0."""
        ends, images = self._ends, self._images
        self._ends, self._images = None, 0
        if ends is None or images < 2:
            return torch.tensor(0.0)
        return (ends[0] == ends[1]).all().float()


class Place:
    """A net and its optimiser as they were after an epoch."""

    def __init__(self, net: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._net, self._optimizer = net, optimizer
        self._states: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.keep()

    def keep(self) -> None:
        """Takes the present state for the last good one."""
        self._states = copy.deepcopy((self._net.state_dict(), self._optimizer.state_dict()))

    def go_back(self, factor: float, least: float) -> float:
        """Puts both back and lowers the rate, not below `least`; returns the new rate."""
        self._net.load_state_dict(self._states[0])
        self._optimizer.load_state_dict(copy.deepcopy(self._states[1]))
        for group in self._optimizer.param_groups:
            group["lr"] = min(group["lr"], max(group["lr"] * factor, least))
        self.keep()
        return float(self._optimizer.param_groups[0]["lr"])
