"""How processes end, and which of several that share a training is the first."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from zfrepro import config, files, processes

ONE = {"accelerator": "cpu", "devices": 1, "nodes": 1}
TWO = ONE | {"devices": 2}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "job"}
LIGHTNING = {"NODE_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without what this machine's own launcher has set."""
    for name in os.environ:
        if name in ("RANK", "LOCAL_RANK", *LIGHTNING) or name.startswith(("SLURM_", "TORCHEL")):
            monkeypatch.delenv(name)
    return monkeypatch


def set_all(environment: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)


def start(program: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=config.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_sigterm_ends_with_143() -> None:
    process = start(
        "import time; from zfrepro.processes import exit_on_signals; exit_on_signals()\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM


def test_sigterm_ends_what_does_not_end_by_itself() -> None:
    """As where a library waits in an exchange."""
    process = start(
        "import time; from zfrepro import processes; processes.GRACE = 0.2\n"
        "processes.exit_on_signals()\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    try: time.sleep(60)\n"
        "    except SystemExit: pass"
    )
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("platform", [sys.platform, "darwin"])
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_child_ends_with_its_parent(platform: str, rank: str) -> None:
    child = (
        "import os, sys, time; from zfrepro import processes\n"
        f"sys.platform = {platform!r}\n"
        f"os.environ.update({LIGHTNING | {'LOCAL_RANK': rank}})\n"
        "processes.exit_on_signals(); processes.die_with_parent()\n"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])",
        ],
        cwd=config.ROOT,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    orphan = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([orphan], timeout=20)
    for each in alive:
        each.kill()
    assert not alive, "the child outlived its parent"


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A Python program, to its end."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=config.ROOT, capture_output=True, text=True, check=False)


def test_what_started_too_late_to_watch_its_parent_ends() -> None:
    program = "from zfrepro import processes; processes.die_with_parent(1); print('still there')"
    done = run(program)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"RANK": "1"}, True),  # left there by something else
        ({"SLURM_PROCID": "1"}, True),
        (TORCHRUN | {"RANK": "0"}, True),
        (TORCHRUN | {"RANK": "1", "LOCAL_RANK": "0"}, False),  # the first of the second node
        (SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, True),
        (SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, False),
        (LIGHTNING | {"LOCAL_RANK": "1"}, False),
        (LIGHTNING | {"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False),  # in a shell of salloc
        (
            LIGHTNING
            | {"LOCAL_RANK": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
            | {"SLURM_JOB_NAME": "interactive"},
            False,
        ),
    ],
)
def test_who_is_first(
    environment: pytest.MonkeyPatch, variables: dict[str, str], first: bool
) -> None:
    set_all(environment, variables)
    assert processes.is_first() == first


@pytest.mark.parametrize(
    ("variables", "trainer", "message"),
    [
        ({"RANK": "1"}, ONE, "RANK=1 is left in the environment.*`unset RANK`"),
        ({"LOCAL_RANK": "1"}, ONE, "LOCAL_RANK=1 is left.*`unset LOCAL_RANK`"),
        ({"LOCAL_RANK": "0"}, TWO, "LOCAL_RANK=0 is left.*`unset LOCAL_RANK`"),
        ({}, ONE | {"nodes": 2}, "trainer.nodes=2 needs a launcher.*`srun`.*`torchrun`"),
        (
            SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, TWO,
            "SLURM counts 1 processes.*asks for 2.*srun with --nodes=1 --ntasks-per-node=2",
        ),
        (
            SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, ONE,
            "SLURM counts 2 processes.*asks for 1",
        ),
        (TORCHRUN | {"RANK": "0"}, TWO | {"nodes": 2}, "torchrun counts 2.*--nnodes=2"),
        (  # a batch script without srun
            SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, TWO,
            "the job has 2 tasks.*srun with --nodes=1 --ntasks-per-node=2",
        ),
    ],
)  # fmt: skip
def test_other_processes_than_asked_for_are_refused(
    environment: pytest.MonkeyPatch,
    variables: dict[str, str],
    trainer: dict[str, Any],
    message: str,
) -> None:
    set_all(environment, variables)
    with pytest.raises(processes.ProcessesError, match=message):
        processes.check(trainer)


@pytest.mark.parametrize(
    ("variables", "trainer"),
    [
        ({}, ONE), ({}, TWO), ({"RANK": "0"}, TWO), (TORCHRUN | {"RANK": "1"}, TWO),
        (SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_STEP_ID": "0"}, TWO),
        (SLURM | {"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, ONE),  # a batch script without srun
        (SLURM | {"SLURM_PROCID": "0"}, TWO),
        (LIGHTNING | {"LOCAL_RANK": "1"}, TWO),
    ],
)  # fmt: skip
def test_processes_as_asked_for_are_taken(
    environment: pytest.MonkeyPatch, variables: dict[str, str], trainer: dict[str, Any]
) -> None:
    set_all(environment, variables)
    processes.check(trainer)


def test_the_others_of_a_call_follow_the_first(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_all(environment, SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"})
    with files.exclusive(tmp_path, "training"):
        environment.setenv("SLURM_PROCID", "1")
        files.wait_for_first(tmp_path, "training")
        environment.setenv("SLURM_JOB_ID", "8")
        started = time.monotonic()
        with pytest.raises(files.LockedError, match=rf"pid {os.getpid()}.*SLURM_JOB_ID=7"):
            files.wait_for_first(tmp_path, "training")
    assert time.monotonic() - started < 20
    environment.setattr(files, "PATIENCE", 0)
    with pytest.raises(files.LockedError):
        files.wait_for_first(tmp_path, "training")


def test_windows_is_refused_with_one_sentence() -> None:
    program = "import sys; sys.platform = 'win32'; import zfrepro.train"
    done = run(program)
    assert done.returncode == 1
    assert done.stderr.startswith("error: zfrepro runs on Linux and macOS; on Windows, in WSL")
    assert len(done.stderr.splitlines()) == 1
