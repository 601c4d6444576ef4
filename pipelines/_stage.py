"""What all stages share: how they end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zfrepro import files, processes
from zfrepro.models.memory import keep_freed_memory


@contextmanager
def shell(*, keep_memory: bool = False) -> Iterator[None]:
    """Runs a stage's work, which ends with the process that started it.

    What the user can mend ends it with one line; a bug keeps its traceback; SIGTERM gives 143.

    Args:
        keep_memory: for work on networks (`zfrepro.models.memory`).
    """
    processes.exit_on_signals()
    processes.die_with_parent()
    if keep_memory:
        keep_freed_memory()
    try:
        yield
    except (OSError, ValueError, MemoryError, files.LockedError) as error:
        sys.exit(f"error: {files.reason(error)}")
