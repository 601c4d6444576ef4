"""What decides a result: the resolved configuration, the data, and the source that computes it.

The source counts as its syntax tree without docstrings, so a changed comment, docstring or line
break leaves every fingerprint, and every finished training, as it was.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("zfrepro", "pipelines")


def fingerprint(parts: Mapping[str, object], modules: Iterable[str]) -> str:
    """16 hexadecimal digits that change when `parts` or the code behind `modules` changes.

    Args:
        parts: JSON-able values that decide the result (configuration, digest of the data).
        modules: dotted names; everything of this project that they import counts with them.
    """
    decides = {"parts": parts, "sources": digests(*modules)}
    text = json.dumps(decides, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def digests(*modules: str) -> Mapping[str, str]:
    """Of each source file behind `modules`, by its path from the project's root."""
    return {path.relative_to(PROJECT).as_posix(): _meaning(path) for path in closure(modules)}


def closure(modules: Iterable[str]) -> list[Path]:
    """Source files of `modules` and of all they import from this project, sorted.

    Imports inside functions count too; `import a.b` also runs `a/__init__.py`.

    Raises:
        ModuleNotFoundError: a name that is no module of this project.
    """
    found: dict[Path, None] = {}
    waiting = [(name, True) for name in modules]
    while waiting:
        name, required = waiting.pop()
        path = _source(name)
        if path is None:
            if required:
                raise ModuleNotFoundError(f"{name} is no module of this project")
            continue
        if path not in found:
            found[path] = None
            waiting += [(imported, False) for imported in _imports(path, name)]
    return sorted(found)


def _source(name: str) -> Path | None:
    """The file of a module of this project; None for any other name."""
    if name.split(".", 1)[0] not in PACKAGES:
        return None
    base = PROJECT.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path, name: str) -> tuple[str, ...]:
    return (*_parents(name), *_imported(path, name))


def _imported(path: Path, name: str) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, name)
            yield base
            for alias in node.names:  # `from package import module`
                yield f"{base}.{alias.name}"


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _absolute(node: ast.ImportFrom, path: Path, name: str) -> str:
    if not node.level:
        return node.module or ""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _meaning(path: Path) -> str:
    """Digest of a module's syntax tree without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
