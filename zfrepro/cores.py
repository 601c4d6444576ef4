"""How many processor cores this process may use, and how many networks share them."""

import os
from collections.abc import Mapping
from typing import Any


def cores() -> int:
    """Those of its affinity mask, where the system has one, else the machine's."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def side_by_side(trainer: Mapping[str, Any]) -> int:
    """Networks that are trained or evaluated at a time, by the section `trainer` of a config."""
    return 1 if trainer["together"] == "none" else cores()
