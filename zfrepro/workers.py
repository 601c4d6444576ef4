"""Worker processes that share work: images to prepare, small networks to train or evaluate."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from zfrepro.files import die_with_parent


@contextmanager
def worker_processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (a fork would copy threads' locks) that end with the block or with us.

    A worker that is killed raises BrokenProcessPool here; nothing waits for its work for ever.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start_worker, (os.getpid(),)
    )
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def shared_map(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map`, its calls shared by so many worker processes; with one, made here."""
    if workers <= 1:
        yield map
    else:
        with worker_processes(workers) as pool:
            yield pool.map


def _start_worker(parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends the rest
