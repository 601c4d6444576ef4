"""Where the code and the data of a run come from."""

import subprocess
from pathlib import Path

import pytest

from zfrepro.provenance import git_revision, lock_digest


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("one")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_and_whether_files_differ(checkout: Path) -> None:
    clean = git_revision(checkout)
    assert clean is not None
    assert len(clean) == 40
    (checkout / "file").write_text("two")
    assert git_revision(checkout) == f"{clean}-dirty"


def test_no_git_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_revision(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_revision(tmp_path) is None


def test_the_lock_of_the_pipeline(tmp_path: Path) -> None:
    assert lock_digest(tmp_path) is None
    (tmp_path / "dvc.lock").write_text("abc")
    assert lock_digest(tmp_path) == "ba7816bf8f01cfea"  # sha256 of "abc", as published
