"""How the C library hands out the memory of activations: on a CPU a third of a step's time."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and numbers of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process reuse the memory it frees, instead of returning it to the kernel.

    By default glibc maps each large block anew, and the kernel clears its pages at first touch:
    at full width that is 300,000 page faults a training step. Costs nothing but that the process
    stays as large as it once was. Returns False, and does nothing, without glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
