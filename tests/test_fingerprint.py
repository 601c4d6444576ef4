from pathlib import Path

import pytest

from zfrepro import fingerprint as fp


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project: zfrepro.a imports zfrepro.sub.b inside a function, which imports ..c."""
    package = tmp_path / "zfrepro"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sub" / "__init__.py").write_text('"""Sub."""\n')
    (package / "a.py").write_text(
        "import os\n\ndef f():\n    from zfrepro.sub import b\n    return b\n"
    )
    (package / "sub" / "b.py").write_text("from ..c import VALUE\n")
    (package / "c.py").write_text('"""C."""\nVALUE = 1  # one\n')
    (package / "unrelated.py").write_text("")
    monkeypatch.setattr(fp, "PROJECT", tmp_path)
    fp._tree.cache_clear()
    fp._meaning.cache_clear()
    fp.digests.cache_clear()
    return tmp_path


def fresh(*args: object) -> str:
    fp._meaning.cache_clear()
    fp.digests.cache_clear()
    return fp.fingerprint(*args)  # type: ignore[arg-type]


def test_closure_follows_all_kinds_of_imports(project: Path) -> None:
    found = [str(path.relative_to(project)) for path in fp.closure(["zfrepro.a"])]
    assert found == [
        "zfrepro/__init__.py",
        "zfrepro/a.py",
        "zfrepro/c.py",
        "zfrepro/sub/__init__.py",
        "zfrepro/sub/b.py",
    ]


def test_unknown_module_is_an_error(project: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"zfrepro\.nothing"):
        fp.closure(["zfrepro.nothing"])


def test_comments_and_docstrings_change_nothing(project: Path) -> None:
    before = fresh({"lr": 0.01}, ["zfrepro.a"])
    (project / "zfrepro" / "c.py").write_text('"""Other words."""\n\n\nVALUE = (\n    1\n)\n')
    assert fresh({"lr": 0.01}, ["zfrepro.a"]) == before


def test_code_and_values_change_it(project: Path) -> None:
    before = fresh({"lr": 0.01}, ["zfrepro.a"])
    assert fresh({"lr": 0.02}, ["zfrepro.a"]) != before
    (project / "zfrepro" / "c.py").write_text("VALUE = 2\n")
    assert fresh({"lr": 0.01}, ["zfrepro.a"]) != before


def test_unrelated_code_does_not(project: Path) -> None:
    before = fresh({}, ["zfrepro.a"])
    (project / "zfrepro" / "unrelated.py").write_text("VALUE = 2\n")
    assert fresh({}, ["zfrepro.a"]) == before


def test_the_order_of_keys_does_not_matter(project: Path) -> None:
    assert fresh({"a": 1, "b": 2}, ["zfrepro.a"]) == fresh({"b": 2, "a": 1}, ["zfrepro.a"])
