"""`python -m tools.measure [REVISION]`: how big the code is, and how it is cut.

Of `zfrepro/` and `pipelines/`: lines, files, the lengths of functions, the share of comments and of
documentation, and private functions that are used once. With a revision of git beside it.
"""

import argparse
import ast
import io
import re
import subprocess
import tarfile
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("zfrepro", "pipelines")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", help="a commit to compare with")
    revision = parser.parse_args().revision
    columns = {"here": measures(PROJECT)}
    if revision:
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(
                ["git", "archive", revision, *PACKAGES],
                cwd=PROJECT,
                capture_output=True,
                check=True,
            )
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
                files.extractall(folder, filter="data")
            columns = {revision: measures(Path(folder)), **columns}
    print(f"{'':38}" + "".join(f"{name:>12}" for name in columns))
    for name in columns["here"]:
        print(f"{name:38}" + "".join(f"{values[name]:>12,.6g}" for values in columns.values()))


def measures(root: Path) -> dict[str, float]:
    """By name, of the packages below `root`."""
    sources = {path: path.read_text(encoding="utf-8") for path in files(root)}
    trees = [ast.parse(text) for text in sources.values()]
    lines = sum(len(text.splitlines()) for text in sources.values())
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    words = Counter(re.findall(r"\w+", "\n".join(sources.values())))
    private = {node.name for node in functions if re.match(r"_[a-z]", node.name)}
    return {
        "lines": lines,
        "files": len(sources),
        "longest file, lines": max(len(text.splitlines()) for text in sources.values()),
        "functions": len(functions),
        "lines of a function, median": median(lengths),
        "lines of a function, 90th percentile": quantiles(lengths, n=10)[-1],
        "lines of a function, most": max(lengths),
        "comments, % of lines": 100 * sum(map(comments, sources.values())) / lines,
        "documentation, % of lines": 100 * sum(map(documentation, trees)) / lines,
        "private functions used once": sum(words[name] == 2 for name in private),
    }


def files(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((root / package).rglob("*.py"))


def comments(text: str) -> int:
    """Lines that have one."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    told = (each.string for each in tokens if each.type == tokenize.COMMENT)
    return sum("fmt: skip" not in each and "noqa" not in each for each in told)


def documentation(tree: ast.Module) -> int:
    """Lines of docstrings."""
    kinds = (ast.Module, ast.ClassDef, *FUNCTIONS)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return sum(len(text.splitlines()) for text in found if text)


if __name__ == "__main__":
    main()
