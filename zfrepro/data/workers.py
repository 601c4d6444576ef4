"""Worker processes that share the work of rendering and preparing images."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

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


def _start_worker(parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends the rest
