import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zfrepro import files
from zfrepro.config import ROOT


def test_atomic_write_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "name.txt"
    files.atomic_write(target, "first")
    files.atomic_write(target, b"second")
    assert target.read_text() == "second"
    assert [path.name for path in target.parent.iterdir()] == ["name.txt"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "name.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["name.txt"]


def test_written_files_are_readable_by_others(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "name", "x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "name").stat().st_mode & 0o777 == 0o666 & ~mask


def test_the_second_owner_is_told_who_is_the_first(tmp_path: Path) -> None:
    with (
        files.exclusive(tmp_path, "training of tab3_zfnet"),
        pytest.raises(files.LockedError, match=rf"tab3_zfnet.*pid {os.getpid()}"),
        files.exclusive(tmp_path, "training of tab3_zfnet"),
    ):
        pass


def test_where_there_are_no_locks_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with files.exclusive(tmp_path, "work"):
        (tmp_path / "made").touch()
    assert "its file system has no locks (Function not implemented)" in caplog.text
    monkeypatch.setattr(files, "NO_LOCKS", ())
    with pytest.raises(OSError, match="not implemented"), files.exclusive(tmp_path, "work"):
        pass


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from zfrepro.files import exclusive\n"
        f"with exclusive(Path({str(tmp_path)!r}), 'work'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    owner.kill()
    owner.wait()
    with files.exclusive(tmp_path, "work"):
        assert f"pid {os.getpid()}" in (tmp_path / ".lock").read_text()


def test_link_tree_replaces_what_was_there_without_copying(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "deep" / "out"
    (work / "inner").mkdir(parents=True)
    (work / "inner" / "a").write_text("a")
    (work / "b").write_text("b")
    (work / "c").write_text("not asked for")
    out.mkdir(parents=True)
    (out / "stale").write_text("old")
    files.link_tree(work, out, ["inner", "b"])
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == ["b", "inner", "inner/a"]
    assert (out / "b").samefile(work / "b")
    files.link_tree(work, out)
    assert sorted(path.name for path in out.iterdir()) == ["b", "c", "inner"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_missing_file_is_named_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "cat.jpg").read_bytes()
    assert files.reason(caught.value) == f"{tmp_path}/cat.jpg: No such file or directory"
    assert files.reason(OSError("no picture")) == "no picture"


def test_commands_say_in_words_what_the_system_refused() -> None:
    """`[Errno 2]` is for programs."""
    for path in [*(ROOT / "zfrepro").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and node.type and _ends(node):
                caught = "OSError" in ast.unparse(node.type)
                assert not caught or "reason(" in ast.unparse(node), f"{path}:{node.lineno}"


def _ends(handler: ast.ExceptHandler) -> bool:
    return any("sys.exit(" in ast.unparse(line) for line in handler.body)
