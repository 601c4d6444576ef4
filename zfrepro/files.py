"""Work folders that survive being killed: atomic writes, one owner at a time, hard-linked results.

What is damaged on the disk is noticed by digests that stand beside it.

Work in progress lives in `.checkpoints/<fingerprint>/`, since DVC deletes a stage's outputs before
it runs the stage; what is finished is linked from there into `results/`.
"""

import errno
import fcntl
import gzip
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zfrepro import processes

SUMS = "SHA256SUMS"
LOCK_NAME = ".lock"
PATIENCE = 600  # seconds, in which the first of several processes begins
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # of some network file systems
FULL = (errno.ENOSPC, errno.EDQUOT)  # no room on the disk, or none for this user

log = logging.getLogger(__name__)


class LockedError(RuntimeError):
    """Another process works in this folder; the message says which."""


class DamagedError(OSError):
    """A file that is not as it was written; the message names it."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it to `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        with named(path):
            yield temporary
            # mkstemp makes private files; a result is as readable as any other file
            temporary.chmod(0o666 & ~_umask())
            sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Adds `path` to the error of a full disk, of which the system does not say the file."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            error.filename = error.filename or str(path)
        raise


def sync(path: Path) -> None:
    """Waits until the disk has a file's content, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Writes `content` to `path`: a reader sees the old file or the new one, never a part."""
    with atomic_path(path) as temporary:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            temporary.write_text(content, encoding="utf-8")


def to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, value: object) -> None:
    atomic_write(path, to_json(value))


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of these files of `folder`."""
    found = {}
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Raises DamagedError where a file of `folder` is missing, or has another digest."""
    try:
        found = digests(folder, expected)
    except FileNotFoundError as error:
        raise DamagedError(f"{error.filename} is not there") from error
    for name, digest in found.items():
        if digest != expected[name]:
            raise DamagedError(f"{folder / name} is damaged: it is not as it was written")


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Lists the digests of these files in `folder`, as `sha256sum --check` reads them."""
    lines = [f"{digest}  {name}\n" for name, digest in digests(folder, names).items()]
    atomic_write(folder / SUMS, "".join(lines))


def check_sums(folder: Path) -> None:
    """Raises DamagedError where `folder` is not as it was at `write_sums`."""
    path = folder / SUMS
    try:
        lines = path.read_text("utf-8").splitlines()
        check(folder, dict(line.split("  ", 1)[::-1] for line in lines))
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is not there") from error
    except ValueError as error:  # another number of words, or bytes that are no text
        raise DamagedError(f"{path} is damaged") from error
    if not lines:
        raise DamagedError(f"{path} is empty")


def keep(path: Path, content: bytes) -> None:
    """Writes what `kept` reads: with a checksum, compressed a little."""
    atomic_write(path, gzip.compress(content, compresslevel=1, mtime=0))


def kept(path: Path) -> bytes | None:
    """What `keep` wrote; None where there is nothing or, after a warning, where it is damaged."""
    try:
        packed = path.read_bytes()
        if not packed:  # which gzip would take
            raise EOFError("it is empty")
        return gzip.decompress(packed)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error) as error:
        log.warning("%s is damaged (%s): it is made anew", path, error)
        return None


@contextmanager
def exclusive(folder: Path, what: str, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds `folder` alone while the block runs.

    The lock is the kernel's (flock), so it goes with the process that holds it, however that ends.

    Args:
        wait: is told who holds the folder, which is then waited for; without it that is an error.

    Raises:
        LockedError: another process holds the folder; names its pid, host and start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    call = processes.call()
    with (folder / LOCK_NAME).open("a+") as lock:
        # the other processes of this call look at the lock, for a moment each
        if not _locked(lock, fcntl.LOCK_EX, tries=10 if call else 1):
            refusal = _refused(folder, what, lock)
            if wait is None:
                raise refusal
            wait(f"{refusal}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        started = f"since {time.strftime('%F %T')}"
        lock.write(f"pid {os.getpid()} on {socket.gethostname()} {started} {call}".rstrip())
        lock.flush()
        yield


def wait_for_first(folder: Path, what: str) -> None:
    """Returns once the first of the processes that torchrun or srun started holds `folder`.

    Raises:
        LockedError: a process of another call holds it, or none does after `PATIENCE` seconds.
    """
    call, folder_lock, end = processes.call(), folder / LOCK_NAME, time.monotonic() + PATIENCE
    strangers = 0  # a holder writes its name just after it has taken the lock
    while call:
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock.open("a+") as lock:
            if not _locked(lock, fcntl.LOCK_SH, tries=1):
                lock.seek(0)
                if lock.read().endswith(call):
                    return
                strangers += 1
            if strangers == 10 or time.monotonic() > end:
                raise _refused(folder, what, lock)
        time.sleep(0.2)


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


def reason(error: BaseException) -> str:
    """What a command says of an error that its user can mend."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno not in FULL:
        named = error.filename is not None and error.strerror
        return f"{error.filename}: {error.strerror}" if named else str(error)
    where = f" that {error.filename} is on" if error.filename else ""
    return (
        f"the disk{where} is full: free some of it (.checkpoints/ holds finished runs, `dvc gc "
        "--workspace` clears DVC's cache) and start again: it goes on where it was"
    )


def _locked(lock: IO[str], kind: int, tries: int) -> bool:
    """Whether the lock was to be had; a line, and yes, where the file system knows no locks."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1 if left else 0)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            log.warning(
                "%s: its file system has no locks (%s): see to it that nothing else works there",
                lock.name, error.strerror,
            )  # fmt: skip
            return True
        else:
            return True
    return False


def _refused(folder: Path, what: str, lock: IO[str]) -> LockedError:
    lock.seek(0)
    holder = lock.read().strip() or "a process that has not said which it is"
    return LockedError(f"{what} is already under way in {folder}: held by {holder}")


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
