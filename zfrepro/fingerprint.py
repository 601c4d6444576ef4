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
    return _digests(closure(modules))


def own_digests(*modules: str) -> Mapping[str, str]:
    """The same of the files of `modules` alone, whatever they import.

    Raises:
        ModuleNotFoundError: a name that is not a module of this project.
    """
    return _digests(map(_required, modules))


def _digests(paths: Iterable[Path]) -> Mapping[str, str]:
    return {path.relative_to(PROJECT).as_posix(): _meaning(path) for path in paths}


def closure(modules: Iterable[str]) -> list[Path]:
    """Source files of `modules` and of all they import from this project, sorted.

    Imports inside functions count too, but not those under `if TYPE_CHECKING`, which never run;
    `import a.b` also runs `a/__init__.py`.

    Raises:
        ModuleNotFoundError: a name that is not a module of this project.
    """
    found: dict[Path, None] = {}
    waiting = [(name, _required(name)) for name in modules]
    while waiting:
        name, path = waiting.pop()
        if path not in found:
            found[path] = None
            sources = ((imported, _source(imported)) for imported in _imports(path, name))
            waiting += [(imported, source) for imported, source in sources if source]
    return sorted(found)


def _required(name: str) -> Path:
    path = _source(name)
    if path is None:
        raise ModuleNotFoundError(f"{name} is not a module of this project")
    return path


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
    for node in _running(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, name)
            yield base
            for alias in node.names:  # `from package import module`
                yield f"{base}.{alias.name}"


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all below it, without what only a type checker reads."""
    yield node
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        below: Iterable[ast.AST] = node.orelse
    else:
        below = ast.iter_child_nodes(node)
    for child in below:
        yield from _running(child)


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
