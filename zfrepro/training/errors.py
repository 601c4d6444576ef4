"""When an answer is wrong: the rank of the true class among all scores."""

import torch
from torch import Tensor


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """How many classes are better than the true one, for each of B images: int64 (B,).

    Of classes with equal scores the first counts as better, as for argmax.

    Args:
        scores: (B, classes); any monotone score will do.
        labels: int64 (B,).
    """
    truth = scores.gather(1, labels[:, None])
    earlier = torch.arange(scores.shape[1], device=scores.device) < labels[:, None]
    return ((scores > truth) | ((scores == truth) & earlier)).sum(1)


def wrong_at(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How many of B images are wrong at top 1 and at top 5; arguments as of `ranks`."""
    rank = ranks(scores, labels)
    return (rank >= 1).sum().double(), (rank >= 5).sum().double()
