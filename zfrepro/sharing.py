"""Which GPUs this process may use, and how many networks are worked on at a time."""

import os
from collections.abc import Mapping
from typing import Any

from zfrepro.cores import side_by_side


def gpus(trainer: Mapping[str, Any]) -> list[str]:
    """The GPUs that networks are shared out to, one process each, as CUDA_VISIBLE_DEVICES has them.

    None where the section `trainer` of a config does not ask for it, or where there is no GPU.
    """
    if trainer["together"] != "gpus" or trainer["accelerator"] == "cpu":
        return []
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return visible.split(",")
    import torch  # noqa: PLC0415  seconds, and composing a configuration needs none of it

    return [str(number) for number in range(torch.cuda.device_count())]


def at_once(trainer: Mapping[str, Any]) -> int:
    """Networks that are trained or evaluated at a time, by the section `trainer` of a config."""
    return max(len(gpus(trainer)), 1) if trainer["together"] == "gpus" else side_by_side(trainer)
