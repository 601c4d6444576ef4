"""How many processor cores this process may use."""

import os


def cores() -> int:
    """Those of its affinity mask, where the system has one, else the machine's."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1
