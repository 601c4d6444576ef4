"""Worker processes that share work: images to prepare, small networks to train or evaluate."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from zfrepro.cores import cores
from zfrepro.processes import die_with_parent

KILLED = (
    "a worker process was killed, most likely since memory ran out: free some and start again: it "
    "goes on where it was"
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read as PyTorch and NumPy are loaded


@contextmanager
def worker_processes(workers: int, gpus: Sequence[str] = ()) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (a fork would copy threads' locks) that end with the block or with us.

    Each computes with its share of the cores. Nothing waits for ever for one that is killed.

    Args:
        gpus: each process sees one of these alone; none: all see what this one sees.

    Raises:
        ChildProcessError: one of them was killed.
    """
    share = {name: str(max(1, cores() // workers)) for name in THREADS}
    others = set(multiprocessing.active_children())
    context = _Context()
    own = context.SimpleQueue()
    for number in range(workers):
        own.put(gpus[number % len(gpus)] if gpus else None)
    pool = ProcessPoolExecutor(workers, context, _start_worker, (os.getpid(), own))
    with _environment(share):
        try:
            yield pool
        except BaseException as error:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise ChildProcessError(KILLED) from error
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def shared_map(workers: int, gpus: Sequence[str] = ()) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map`, its calls shared by so many worker processes; with one, made here.

    Args:
        gpus: as of `worker_processes`.
    """
    if workers <= 1:
        yield map
    else:
        with worker_processes(workers, gpus) as pool:
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


class _Process(multiprocessing.context.SpawnProcess):
    """Ctrl-C reaches all processes of a terminal; it is the parent that ends this one.

    It starts with the signal blocked: busy with imports it would answer with a traceback.
    """

    def start(self) -> None:
        resource_tracker.ensure_running()  # whose start would unblock it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(multiprocessing.context.SpawnContext):
    Process = _Process


def _start_worker(parent: int, own: Any) -> None:
    die_with_parent(parent)
    if (gpu := own.get()) is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before CUDA has looked
