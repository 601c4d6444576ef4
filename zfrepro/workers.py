"""Worker processes that share work: images to prepare, small networks to train or evaluate."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from zfrepro.cores import cores
from zfrepro.processes import die_with_parent

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read as PyTorch and NumPy are loaded


@contextmanager
def worker_processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (a fork would copy threads' locks) that end with the block or with us.

    Each computes with its share of the cores. A worker that is killed raises BrokenProcessPool
    here; nothing waits for its work for ever.
    """
    share = {name: str(max(1, cores() // workers)) for name in THREADS}
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start_worker, (os.getpid(),)
    )
    with _environment(share):
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


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """For processes that are started meanwhile; what the user has set, stays."""
    new = wanted.keys() - os.environ.keys()
    os.environ.update({name: wanted[name] for name in new})
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _start_worker(parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends the rest
