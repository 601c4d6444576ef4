"""Which code and which data pipeline a run came from."""

import hashlib
import shutil
import subprocess
from pathlib import Path


def git_revision(project: Path) -> str | None:
    """The commit of a checkout, with `-dirty` after it where files differ; None outside git."""
    if shutil.which("git") is None:
        return None
    git = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or None


def lock_digest(project: Path) -> str | None:
    """16 hexadecimal digits of `dvc.lock`; None before the first `dvc repro`."""
    lock = project / "dvc.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.is_file() else None
