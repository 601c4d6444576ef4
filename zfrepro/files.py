"""Work folders that survive being killed: atomic writes, one owner at a time, hard-linked results.

Work in progress lives in `.checkpoints/<fingerprint>/`, since DVC deletes a stage's outputs before
it runs the stage; what is finished is linked from there into `results/`.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

LOCK_NAME = ".lock"


class LockedError(RuntimeError):
    """Another process works in this folder; the message says which."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it to `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Writes `content` to `path`: a reader sees the old file or the new one, never a part."""
    with atomic_path(path) as temporary:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            temporary.write_text(content, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    atomic_write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Holds `folder` alone while the block runs.

    The lock is the kernel's (flock), so it goes with the process that holds it, however that ends.

    Raises:
        LockedError: another process holds the folder; names its pid, host and start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "a process that has not said which it is"
            raise LockedError(
                f"{what} is already under way in {folder}: held by {holder}"
            ) from None
        lock.truncate(0)
        lock.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%F %T')}\n")
        lock.flush()
        yield


def link_tree(work: Path, out: Path, names: Iterable[str] | None = None) -> None:
    """Makes `out` hold what `work` holds (all, or just `names`), as hard links where possible.

    Links cost no space and leave the finished work in place, so the next run that needs the same
    fingerprint returns at once. `out` appears whole or not at all.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        (staging / out.name).mkdir()
        for name in sorted(path.name for path in work.iterdir()) if names is None else names:
            _link_any(work / name, staging / out.name / name)
        if out.exists():
            shutil.rmtree(out)
        (staging / out.name).rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def exit_on_signals() -> None:
    """Turns SIGTERM into exit code 143, so that nobody takes a stopped stage for a finished one."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def die_with_parent() -> None:
    """Asks Linux to send SIGTERM when the parent ends: killing `dvc` then stops its trainer too."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _link_any(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, target)


def _link(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
