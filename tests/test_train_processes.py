"""Two processes that train one network: as one starts, stops and loses them."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.project import Project

COMMAND = ("zfrepro.train", "+experiment=tab3_zfnet", "training.precision=32-true")
TOGETHER = (*COMMAND, "trainer=ddp_cpu", "training.epochs=100000")
SECONDS = 60  # for what takes a few: other tests may share the machine

pytestmark = pytest.mark.slow


@pytest.fixture
def together(project: Project) -> Iterator[subprocess.Popen[str]]:
    """Two processes after an epoch."""
    process = project.process(*TOGETHER)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1/" in line:
            break
    yield process
    process.kill()
    process.communicate()


def others(first: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(first.pid).children(recursive=True)
    assert found
    return found


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    for each in alive:
        each.kill()
    assert not alive


def test_sigterm_ends_both(together: subprocess.Popen[str]) -> None:
    """As `timeout` sends it, to all."""
    second = others(together)
    for each in (together, *second):
        each.terminate()
    assert together.wait(SECONDS) == 128 + signal.SIGTERM
    assert_gone(second)


def test_nobody_outlives_the_first(together: subprocess.Popen[str]) -> None:
    second = others(together)
    together.kill()
    assert_gone(second)


def test_the_second_process_is_refused_with_the_first(project: Project) -> None:
    """Started by SLURM each, while a process of another job trains the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    holder = project.process(*COMMAND, "training.epochs=100000")
    assert holder.stderr is not None
    next(line for line in holder.stderr if "epoch 1/" in line)
    job = {
        "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_ID": "7", "SLURM_NODEID": "0",
        "SLURM_STEP_ID": "0",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip
    ranks = [
        project.process(*TOGETHER, **job, SLURM_PROCID=rank, SLURM_LOCALID=rank) for rank in "01"
    ]
    started = time.monotonic()
    said = [rank.communicate(timeout=2 * SECONDS)[1] for rank in ranks]
    holder.kill()
    holder.communicate()
    assert time.monotonic() - started < 2 * SECONDS
    assert [rank.returncode for rank in ranks] == [1, 1]
    for text in said:
        assert re.search(rf"error: training of tab3_zfnet.*held by pid {holder.pid}", text)


@pytest.mark.parametrize(
    ("variables", "options", "message"),
    [
        ({"RANK": "1"}, (), "RANK=1 is left in the environment"),
        ({}, ("trainer.nodes=2",), "trainer.nodes=2 needs a launcher"),
    ],
)
def test_what_would_wait_for_ever_is_refused(
    project: Project, variables: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    done = project.run(*COMMAND, *options, **variables)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((project.root / ".checkpoints").glob("*/run"))
