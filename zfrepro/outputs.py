"""Files that a command writes where its user says, and never over a file of the user's own."""

from collections.abc import Iterable
from pathlib import Path

MARK = "made by zfrepro"  # in pictures and pages; a CSV of ours is known by its first columns


class OutputError(ValueError):
    """A file that is not to be written; says which, and the remedy."""


def named(out: Path | None, default: str, *suffixes: str) -> list[Path]:
    """A file for each suffix, which is added to the name `out` unless that ends with one of them.

    So `cat.first` becomes `cat.first.png` and `cat.first.csv`, and `cat.png` also gets a `cat.csv`.
    """
    name = default if out is None else str(out)
    stem = next((name.removesuffix(each) for each in suffixes if name.endswith(each)), name)
    return [Path(f"{stem}{suffix}") for suffix in suffixes]


def check(path: Path, sign: str = MARK, inputs: Iterable[Path] = ()) -> None:
    """Makes sure that nothing is lost when `path` is written.

    Args:
        sign: what an earlier output of the command holds; a CSV begins with it.
        inputs: files that the command reads.

    Raises:
        OutputError: it is a folder, an input, or a file that no command of ours has written.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it")
    if not path.exists():
        return
    if any(each.exists() and path.samefile(each) for each in inputs):
        raise OutputError(f"{path} is what is to be read: write to another name")
    content, mark = path.read_bytes(), sign.encode()
    if not (content.startswith(mark) if path.suffix == ".csv" else mark in content):
        raise OutputError(
            f"{path} is there, and was not written by this command: move it away, or write to "
            "another name"
        )
