"""Processes that start in a moment: forked from one that has imported what takes seconds.

Each is a process like any other, with `python -m MODULE`'s own exit, signals and environment. Of
the project's code nothing is imported before, so that a copy of it runs as it stands there.
"""

import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

# read when Python or a library starts
EARLY = ("PYTHON", "OMP_", "MKL_", "LD_", "ATEN_", "KMP_", "TORCH_")
LARGEST = 1 << 20  # bytes of a request
ROOT = Path(__file__).resolve().parent.parent


class Started:
    """As much of `subprocess.Popen` as is used of a started command."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.args = list(words)
        pipes = [os.pipe() for _ in range(3)]
        request = json.dumps({"words": self.args, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(_server(), [request], [write for _, write in pipes])
        for _, write in pipes:
            os.close(write)
        self.stdout, self.stderr, self._status = (os.fdopen(read) for read, _ in pipes)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        with ThreadPoolExecutor(2) as pool:  # neither pipe may fill while the other is read
            out, err = pool.map(lambda pipe: pipe.read(), (self.stdout, self.stderr))
        self.stdout.close()
        self.stderr.close()
        self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def can_start(options: Mapping[str, str]) -> bool:
    """Whether variables of the environment still count in a process that is forked."""
    return not any(name.startswith(EARLY) for name in options)


_started: list[socket.socket] = []


def _server() -> socket.socket:
    if not _started:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())], pass_fds=[theirs.fileno()],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        theirs.close()
        _started.append(ours)
    return _started[0]


def serve(requests: socket.socket) -> dict[str, object]:
    """Forks a process for each request; returns in each of them, with what is to be run there.

    Ends when nobody can ask any more.
    """
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting = selectors.DefaultSelector()
    waiting.register(requests, selectors.EVENT_READ)
    waiting.register(woken, selectors.EVENT_READ)
    status: dict[int, int] = {}  # pipes that are told of the end, by process
    while True:
        ready = {key.fileobj for key, _ in waiting.select()}
        if woken in ready:
            os.read(woken, 4096)
            for pid in [pid for pid in status if os.waitid(os.P_PID, pid, _ENDED)]:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                os.write(status[pid], f"{code}\n".encode())
                os.close(status.pop(pid))
        if requests in ready:
            content, pipes, _, _ = socket.recv_fds(requests, LARGEST, 3)
            if not content:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for kept in (woken, wakes, requests.detach(), pipes[2], *status.values()):
                    os.close(kept)
                for pipe, standard in zip(pipes, (1, 2), strict=False):
                    os.dup2(pipe, standard)
                    os.close(pipe)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                return dict(json.loads(content))
            status[pid] = pipes[2]
            os.write(pipes[2], f"{pid}\n".encode())
            for pipe in pipes[:2]:
                os.close(pipe)


_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT


def become(request: Mapping[str, object]) -> str:
    """Makes this process what `python -m MODULE ...` would be; returns the module."""
    module, *arguments = request["words"]  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    os.chdir(str(request["cwd"]))
    for name in [name for name in sys.modules if name.split(".")[0] in ("zfrepro", "tests")]:
        del sys.modules[name]
    own = [str(request["cwd"]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    sys.path[:] = [*own, *(folder for folder in sys.path if folder not in ("", str(ROOT)))]
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, "-m", module, *arguments]
    return str(module)


if __name__ == "__main__":
    for name in ("hydra.core.override_parser.overrides_parser", "pandas", "pyarrow.parquet"):
        import_module(name)
    import_module("zfrepro.lightning")  # and torch

    work = serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(become(work), run_name="__main__", alter_sys=True)
