"""dvc.lock as a kill of DVC leaves it, and damaged otherwise: the last good copy comes back."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

from zfrepro.fingerprint import PROJECT
from zfrepro.lock import is_whole, keep_or_restore

if TYPE_CHECKING:
    from conftest import Faults

KILLS = 10


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A good one, of which there is a copy."""
    lock = tmp_path / "dvc.lock"
    stages: dict[str, Any] = load_yaml(PROJECT / "dvc.lock")["stages"]
    dump_yaml(lock, {"schema": "2.0", "stages": dict(list(stages.items())[:3])})
    assert keep_or_restore(lock, tmp_path / "copy") == ""
    return lock


def restored(lock: Path, good: bytes) -> str:
    message = keep_or_restore(lock, lock.with_name("copy"))
    if lock.read_bytes() == good and "its last copy is back" in message:
        return "survived"
    # a part that is a whole lock of fewer stages: DVC takes it, and runs the others again
    return "survived" if is_whole(lock) and not message else "other"


def test_a_damaged_lock(faults: "Faults", lock: Path) -> None:
    good, copy = lock.read_bytes(), lock.with_name("copy").read_bytes()
    random.seed(0)
    damaged = [b"", good[:1], *(good[: random.randrange(len(good))] for _ in range(8))]
    damaged += [b"\0" * len(good), b"\xff" + good, good.replace(b"schema", b"schemb")]
    for content in damaged:
        lock.write_bytes(content)
        lock.with_name("copy").write_bytes(copy)
        faults.count("dvc.lock: empty, cut off or of other bytes", restored(lock, good), content)


def test_without_a_copy_git_is_named(faults: "Faults", lock: Path) -> None:
    lock.with_name("copy").unlink()
    lock.write_bytes(b"")
    with pytest.raises(
        SystemExit, match=r"error: .*dvc\.lock is damaged.*`git checkout dvc\.lock`"
    ):
        keep_or_restore(lock, lock.with_name("copy"))
    faults.count("dvc.lock: damaged, and never copied", "clear error")


def test_in_the_middle_of_a_merge_nothing_is_put_back(faults: "Faults", lock: Path) -> None:
    good = lock.read_text()
    merging = f"<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> other\n"
    lock.write_text(merging)
    with pytest.raises(SystemExit, match=r"error: .*dvc\.lock.*resolve the conflict first"):
        keep_or_restore(lock, lock.with_name("copy"))
    assert lock.read_text() == merging
    faults.count("dvc.lock: with both sides of a merge", "clear error")


def write_for_ever(lock: Path) -> None:
    content = load_yaml(lock)
    while True:
        dump_yaml(lock, content)


def test_dvc_is_killed_while_it_writes(faults: "Faults", lock: Path) -> None:
    """By the function with which DVC writes it, in place."""
    good, copy = lock.read_bytes(), lock.with_name("copy").read_bytes()
    random.seed(1)
    context = multiprocessing.get_context("fork")
    for _ in range(KILLS):
        lock.write_bytes(good)
        writer = context.Process(target=write_for_ever, args=(lock,))
        writer.start()
        time.sleep(0.02 + random.random() / 10)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        found = lock.read_bytes()
        lock.with_name("copy").write_bytes(copy)
        faults.count("dvc.lock: SIGKILL while DVC writes it", restored(lock, good), found)
