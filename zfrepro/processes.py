"""How the processes of this project end, and which is the first of those that share a training.

A training on several devices is made by as many processes: `torchrun` or SLURM's `srun` start them
all, or Lightning has the first start the others. The first keeps the results.
"""

import ctypes
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, NoReturn

STOPPED = "stopped: started again, it goes on where it was"
GRACE = 5.0  # seconds in which a process that is told to stop may tidy up
PARENT = "ZFREPRO_PARENT"  # the process that Lightning starts the others from


class ProcessesError(ValueError):
    """Other processes than the section `trainer` of a configuration asks for."""


@dataclass(frozen=True)
class Launcher:
    """Who started the processes that share a training; its fields name environment variables.

    Args:
        rank: this process's number among all.
        count: how many there are.
        call: what is the same for all of one call, and another's for another.
        remedy: how to have it start others.
    """

    name: str
    rank: str
    count: str
    call: tuple[str, ...]
    remedy: str

    @property
    def started(self) -> int:
        return int(os.environ.get(self.count, "0"))


TORCHRUN = Launcher(
    "torchrun", "RANK", "WORLD_SIZE",
    ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT"),
    "start it with --nnodes={nodes} --nproc-per-node={devices}",
)  # fmt: skip
SRUN = Launcher(
    "SLURM", "SLURM_PROCID", "SLURM_NTASKS",
    ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"),
    "start it by srun with --nodes={nodes} --ntasks-per-node={devices}",
)  # fmt: skip
LIGHTNING = Launcher("Lightning", "LOCAL_RANK", "WORLD_SIZE", (), "unset LOCAL_RANK")


def launcher() -> Launcher | None:
    """Who started this process as one of several, asked in Lightning's order; or nobody."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return TORCHRUN
    # in a shell of salloc srun has started nothing but, perhaps, the shell
    shell = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if "SLURM_NTASKS" in os.environ and not shell:
        return SRUN
    # WORLD_SIZE it takes back after a training
    return LIGHTNING if {"LOCAL_RANK", "NODE_RANK", "MASTER_ADDR"} <= set(os.environ) else None


def is_first() -> bool:
    """Whether this is the only process, or the first of those that share a training."""
    who = launcher()
    return who is None or os.environ.get(who.rank, "0") == "0"


def call() -> str:
    """What the processes of one call of torchrun or srun have in common; else nothing."""
    who = launcher()
    names = who.call if who else ()
    return " ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)


def check(trainer: Mapping[str, Any], *, sweep: bool = False) -> None:
    """Raises ProcessesError where `trainer` asks for what is not there.

    That is a GPU, or other processes than those that train, for which Lightning would wait.

    Args:
        sweep: in a job of a --multirun Lightning cannot start them itself, since it repeats the
            command, and the command is the whole sweep's.
    """
    _check_accelerator(trainer["accelerator"])
    devices, nodes = _devices(trainer), trainer["nodes"]
    by = launcher()
    in_step = {"SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"} & set(os.environ)
    if by is SRUN and by.started == devices * nodes > 1 and not in_step:
        raise ProcessesError(
            f"the job has {by.started} tasks, and srun has not started this process: it would wait "
            f"for the others for ever: {by.remedy.format(nodes=nodes, devices=devices)}"
        )
    if by is None:
        _check_alone(trainer, devices, sweep)
    elif by.started != devices * nodes and (devices * nodes > 1 or not is_first()):
        raise ProcessesError(
            f"{by.name} counts {by.started} processes, and trainer.devices="
            f"{trainer['devices']} trainer.nodes={nodes} asks for {devices * nodes}: "
            f"{by.remedy.format(nodes=nodes, devices=devices)}"
        )


def _check_accelerator(name: str) -> None:
    if name != "gpu":
        return
    import torch  # noqa: PLC0415  it takes seconds, and a CPU needs none of it here

    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise ProcessesError(
            "trainer.accelerator=gpu, and PyTorch finds no GPU here: trainer=cpu trains without"
        )


def _check_alone(trainer: Mapping[str, Any], devices: int, sweep: bool) -> None:
    if trainer["nodes"] > 1:
        raise ProcessesError(
            f"trainer.nodes={trainer['nodes']} needs a launcher that starts a process for each "
            "device of each node: `srun` with trainer=slurm, or `torchrun`"
        )
    if devices > 1 and sweep:
        raise ProcessesError(
            f"trainer.devices={trainer['devices']} in a --multirun needs a launcher that starts a "
            "process for each device (hydra/launcher=slurm, torchrun); otherwise run one row at a "
            "time"
        )
    if name := _stray(several=devices > 1):
        raise ProcessesError(
            f"{name}={os.environ[name]} is left in the environment, and neither torchrun nor "
            f"srun has started this process: `unset {name}`"
        )


def _stray(*, several: bool) -> str | None:
    """A variable, of no launcher, that has Lightning take this for one process among others.

    Args:
        several: Lightning would start others, but for LOCAL_RANK: then any value of it counts.
    """
    for name in ("RANK", "LOCAL_RANK"):
        value = os.environ.get(name, "0")
        if value != "0" or (several and name == "LOCAL_RANK" and name in os.environ):
            return name
    return None


def _devices(trainer: Mapping[str, Any]) -> int:
    """Of each node; -1 and auto are all that this one has."""
    devices = trainer["devices"]
    if isinstance(devices, list):
        return len(devices)
    if devices in (-1, "-1", "auto"):
        import torch  # noqa: PLC0415  seconds

        return torch.cuda.device_count() if trainer["accelerator"] != "cpu" else 1
    return int(devices)


def exit_on_signals() -> None:
    """Has SIGTERM end this process with code 143: nobody takes what was stopped for finished.

    Ctrl-C ends as ever, in a line instead of a traceback.

    Where it hangs in a library, in which Python handles no signals, it ends after `GRACE` seconds.
    Of the processes that share a training the first tidies up, and the others end with it.
    """
    sys.excepthook = _tell
    if is_first():
        signal.signal(signal.SIGTERM, _stop)
        os.environ[PARENT] = str(os.getpid())
        _end_after(GRACE)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all
    signal.signal(signal.SIGTERM, _wait_for_the_first)
    _end_after(2 * GRACE)
    parent = os.environ.get(PARENT) if launcher() is LIGHTNING else None
    die_with_parent(int(parent) if parent else None)


def die_with_parent(parent: int | None = None) -> None:
    """Has this process end with the one that started it: killing `dvc` then stops its trainer too.

    By SIGTERM; by SIGKILL where it is one of several that share a training, and not the first: it
    has nothing to tidy up, and may hang in an exchange with those that are gone.

    Args:
        parent: the process that started this one, where it may be gone already.
    """
    number = signal.SIGTERM if is_first() else signal.SIGKILL
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)
    else:  # no other system tells
        watch = threading.Thread(target=_watch, args=(os.getppid(), number), daemon=True)
        watch.start()
    if parent not in (None, os.getppid()):  # it ended before it could be watched
        os._exit(1)


def _watch(parent: int, number: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), number)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(f"{STOPPED}\n")
    else:
        sys.__excepthook__(kind, error, trace)


def _wait_for_the_first(_number: int, _frame: FrameType | None) -> None:
    """Goes on meanwhile: the first may wait for this process in an exchange, deaf to signals."""


@functools.cache
def _end_after(seconds: float) -> None:
    """Ends this process so many seconds after SIGTERM, whatever its main thread is doing."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    # a forked process would write into the same pipe
    os.register_at_fork(after_in_child=functools.partial(signal.set_wakeup_fd, -1))

    def end() -> None:
        while signal.SIGTERM not in os.read(told, 1):
            pass
        time.sleep(seconds)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=end, daemon=True, name="end").start()
