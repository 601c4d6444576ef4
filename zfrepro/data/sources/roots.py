"""Where the images lie: a root that is missing is the first thing a newcomer meets."""

from pathlib import Path

from zfrepro.data.listing import SourceError


def existing_root(root: str | Path | None, remedy: str, key: str = "data.root") -> Path:
    """`root` as an absolute path.

    Raises:
        SourceError: no root is set, or it is not a folder; names `key` and ends with `remedy`.
    """
    if root is None or not str(root):
        raise SourceError(f"{key} is not set: {remedy}")
    path = Path(root).expanduser().absolute()
    if not path.is_dir():
        raise SourceError(f"{key} is {path}, and there is no such folder: {remedy}")
    return path
