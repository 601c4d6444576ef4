"""The SQLite file of a store: there whole or not at all, and mended where its folder has moved."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from zfrepro.files import atomic_path
from zfrepro.tracking.settings import sqlite_uri

KIN = ("-journal", "-wal", "-shm")  # files that SQLite keeps beside its own
PLACES = (  # where MLflow notes the place of artifacts, absolute
    ("experiments", "artifact_location"), ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"), ("model_versions", "storage_location"),
)  # fmt: skip
log = logging.getLogger("zfrepro.tracking")


class DatabaseError(ValueError):
    """A file that is no store, and may be somebody's."""


def make_ready(path: Path, artifacts: Path | None) -> None:
    """Makes an MLflow store, unless it is there. For one process at a time.

    MLflow's own way leaves a store that no later start mends when it is killed, or the disk is
    full: so it is made under another name. A half-made one, which has no runs, is put aside.

    Args:
        artifacts: the folder of artifacts beside the file, or None where they are elsewhere.

    Raises:
        DatabaseError: the file is no SQLite database; names it and says what to do.
    """
    for left in path.parent.glob(f".{path.name}.*.part*"):  # of one that was killed here
        left.unlink(missing_ok=True)
    if not _is_made(path):
        _put_aside(path)
        _make(path, artifacts or path.parent)
    elif artifacts is not None:
        _follow(path, artifacts)


def _is_made(path: Path) -> bool:
    """Whether MLflow has finished it: the first experiment comes last."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with _open(path) as database:
        tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'")
        return bool(tables.fetchone() and _locations(database))


def _make(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415  seconds

    with atomic_path(path) as new:
        store = SqlAlchemyStore(sqlite_uri(new), artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()


def _put_aside(path: Path) -> None:
    """Renames a file without runs, with its kin: a journal would be played into the next file."""
    if path.is_file() and path.stat().st_size:
        aside = path.with_name(f"{path.name}.half-made")
        log.warning("tracking: %s was half made and held no run: it is %s now", path, aside.name)
        path.replace(aside)
    for kin in (path.with_name(path.name + suffix) for suffix in KIN):
        kin.unlink(missing_ok=True)


def _follow(path: Path, artifacts: Path) -> None:
    """Has runs look for their artifacts beside the file, where the folder of both has moved."""
    with _open(path) as database, database:
        moved = {old: new for old in _locations(database) if (new := _moved(old, artifacts))}
        for old, new in moved.items():
            for table, column in PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                )
    if moved:
        log.warning("tracking: artifacts are now looked for in %s, where this has moved", artifacts)


def _moved(location: str, artifacts: Path) -> str | None:
    """The new place of an experiment's artifacts that stood in a folder of the same name."""
    old = Path(url2pathname(urlparse(location).path))
    new = artifacts / old.name
    if not location.startswith("file:") or old.parent.name != artifacts.name or old == new:
        return None
    return new.as_uri() if new.is_dir() or not old.is_dir() else None


def _locations(database: sqlite3.Connection) -> list[str]:
    return [row[0] for row in database.execute("SELECT artifact_location FROM experiments")]


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            yield database
    except sqlite3.OperationalError:  # locked, a full disk
        raise
    except sqlite3.DatabaseError as error:
        raise DatabaseError(
            f"{path} is damaged ({error}): move it away, and `dvc repro -f publish` files all "
            "runs anew"
        ) from None
