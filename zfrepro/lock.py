"""`python -m zfrepro.lock`: keeps a copy of dvc.lock, or puts it back where a kill left a part.

DVC writes dvc.lock in place. Killed meanwhile, it leaves an empty file or a piece, which it refuses
from then on. `make repro` calls this before DVC. A copy that knows less costs nothing: a stage that
it does not know finds its finished work in .checkpoints/.
"""

import argparse
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import load_yaml
from voluptuous import Invalid

from zfrepro.files import atomic_write
from zfrepro.fingerprint import PROJECT

LOCK = PROJECT / "dvc.lock"
COPY = PROJECT / ".checkpoints" / "dvc.lock"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if message := keep_or_restore(LOCK, COPY):
        sys.stderr.write(f"{message}\n")


def keep_or_restore(lock: Path, copy: Path) -> str:
    """Copies a whole `lock`, or puts its copy in the place of a damaged one and says so.

    Exits where there is no copy either, and in the middle of a merge.
    """
    if not lock.is_file():  # before the first `dvc repro`
        return ""
    if is_whole(lock):
        atomic_write(copy, lock.read_bytes())
        return ""
    if any(line.startswith(b"<<<<<<<") for line in lock.read_bytes().splitlines()):
        sys.exit(
            f"error: {lock} holds both sides of a merge: resolve the conflict first, for instance "
            f"by `git checkout --ours {lock.name}`"
        )
    if not copy.is_file() or not is_whole(copy):
        sys.exit(
            f"error: {lock} is damaged, and there is no copy of it: `git checkout {lock.name}` "
            "brings the last commit's back; without git, remove it"
        )
    atomic_write(lock, copy.read_bytes())
    return f"{lock} was damaged, as DVC leaves it when it is killed: its last copy is back"


def is_whole(lock: Path) -> bool:
    """Whether DVC would take it."""
    try:
        COMPILED_LOCKFILE_SCHEMA(load_yaml(lock))
    except (DvcException, Invalid, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
