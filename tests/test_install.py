"""What `make install` checks first, and when it makes `.venv` anew."""

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from zfrepro.config import ROOT

PYTHON = """#!/bin/sh
# stands for Python: makes environments of itself, and says what it is asked for
echo "$@" >> asked
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture
def preflight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a folder that is not a clone."""
    spec = importlib.util.spec_from_file_location("preflight", ROOT / "tools" / "preflight.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / ".dvc").mkdir()
    return module


def test_a_download_without_git_works(
    preflight: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preflight.main()
    assert "no git repository" in capsys.readouterr().out
    config = tmp_path / ".dvc" / "config.local"
    assert "no_scm = true" in config.read_text()
    preflight.main()
    assert "git" not in capsys.readouterr().out
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: echo one > one, outs: [one]}}")
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=tmp_path, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "dvc.lock").is_file()


def test_a_clone_stays_as_it_is(preflight: ModuleType, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    preflight.main()
    assert not (tmp_path / ".dvc" / "config.local").exists()


@pytest.mark.parametrize(
    ("lacks", "message"),
    [
        ("system", "Linux and macOS; on Windows, in WSL"),
        ("version", "3.11 or newer is needed: make PYTHON="),
        ("disk", "has 1.0 GB left, and 8 are needed"),
        ("git", "git is needed: `apt install git`"),
        ("venv", "apt install python3-venv"),
    ],
)
def test_what_lacks_is_said_before_anything_is_fetched(
    preflight: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str, message: str
) -> None:
    (tmp_path / ".git").mkdir()
    changes = {
        "system": (preflight.platform, "system", lambda: "Windows"),
        "version": (preflight.sys, "version_info", (3, 10, 0)),
        "disk": (preflight.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9)),
        "git": (preflight.shutil, "which", lambda _: None),
        "venv": (preflight.importlib.util, "find_spec", lambda _: None),
    }
    monkeypatch.setattr(*changes[lacks])
    with pytest.raises(SystemExit, match=message):
        preflight.main()


def test_what_was_not_tried_is_named(
    preflight: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight.platform, "system", lambda: "Darwin")
    preflight.main()
    assert "not tried; Linux with Python 3.11 is" in capsys.readouterr().out


def installed(folder: Path) -> list[str]:
    """Runs `make install` there and returns what Python was asked for."""
    (folder / "asked").unlink(missing_ok=True)
    done = subprocess.run(
        ["make", "install", "PYTHON=./python"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" of 3: ") in (0, 3)
    asked = folder / "asked"
    return asked.read_text().splitlines() if asked.exists() else []


def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path) -> None:
    here, there = tmp_path / "it's #1 (old)", tmp_path / 'a "new" place'
    here.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, here)
    (here / "python").write_text(PYTHON)
    (here / "python").chmod(0o755)
    first = installed(here)
    assert first[:2] == ["tools/preflight.py", "-m venv .venv"]
    assert [line.split()[:3] for line in first[2:]] == [["-m", "pip", "install"]] * 2
    assert not installed(here)
    here.rename(there)
    assert len(installed(there)) == len(first)
    assert not installed(there)


def test_bars_are_for_terminals() -> None:
    for path in [*(ROOT / "zfrepro").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tqdm":
                assert "disable" in {word.arg for word in node.keywords}, f"{path}:{node.lineno}"
