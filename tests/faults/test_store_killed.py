"""Kills while MLflow's store is made for the first time."""

import os
import random
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.faults.conftest import Faults
from zfrepro.tracking.database import _is_made, make_ready
from zfrepro.tracking.settings import tame_mlflow

TRIES = 8
LONGEST = 2.5  # seconds


@pytest.mark.slow
def test_a_killed_first_start_leaves_no_half_made_store(tmp_path: Path, faults: Faults) -> None:
    """Where nothing has the store's name, the next start is a first one."""
    tame_mlflow(timeout=5, retries=0)
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  once, for all that are forked

    path, moments = tmp_path / "mlflow.db", random.Random(0)
    for number in range(TRIES):
        sent = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
        process = get_context("fork").Process(target=make_ready, args=(path, None))
        process.start()
        assert process.pid is not None
        time.sleep(moments.uniform(0, LONGEST))
        os.kill(process.pid, sent)
        process.join()
        outcome = "survived" if not path.exists() or _is_made(path) else "other"
        faults.count("mlflow.db: stopped while it is first made", outcome, [*tmp_path.iterdir()])
        path.unlink(missing_ok=True)
    make_ready(path, None)
    assert _is_made(path)
    assert [*tmp_path.iterdir()] == [path]
