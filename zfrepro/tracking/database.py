"""The SQLite file of a store: there whole or not at all, and mended where its folder has moved."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
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
OF_LIBRARIES = ("sqlite_", "alembic_", "_alembic_")  # tables of SQLite and Alembic themselves
log = logging.getLogger("zfrepro.tracking")


class DatabaseError(ValueError):
    """A file that is not a store, and may be somebody's."""


def make_ready(path: Path, artifacts: Path | None) -> None:
    """Makes an MLflow store, unless it is there. For one process at a time.

    MLflow's own way leaves a store that no later start mends when it is killed, or the disk is
    full: so it is made under another name. A half-made one, which has no runs, is put aside;
    another program's is left as it is.

    Args:
        artifacts: the folder of artifacts beside the file, or None where they are elsewhere.

    Raises:
        DatabaseError: the file is no SQLite database, or another program's, or has runs without
            an experiment; names it and says what to do.
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
        columns = database.execute("SELECT name FROM pragma_table_info('experiments')").fetchall()
        return ("artifact_location",) in columns and bool(_locations(database))


def _make(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415  seconds

    with atomic_path(path) as new:
        store = SqlAlchemyStore(sqlite_uri(new), artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()


def _put_aside(path: Path) -> None:
    """Renames a half-made file and its kin: a journal would be played into the next file."""
    if path.is_file() and path.stat().st_size:
        _refuse_another(path)
    elif not _kin(path):
        return
    aside, number = path.with_name(f"{path.name}.half-made"), count(2)
    while aside.exists() or _kin(aside):
        aside = path.with_name(f"{path.name}.half-made.{next(number)}")
    for kin in _kin(path):
        kin.rename(aside.with_name(aside.name + kin.name.removeprefix(path.name)))
    if path.is_file():
        path.rename(aside)
    log.warning("tracking: %s was half made and held no run: it is %s now", path, aside.name)


def _kin(path: Path) -> list[Path]:
    files = (path.with_name(path.name + suffix) for suffix in KIN)
    return [file for file in files if file.exists()]


def _refuse_another(path: Path) -> None:
    """Raises DatabaseError unless all tables are MLflow's and there is no run."""
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401, PLC0415  which defines all tables
    from mlflow.store.db.base_sql_model import Base  # noqa: PLC0415

    with _open(path) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        names = {name for (name,) in rows if not name.startswith(OF_LIBRARIES)}
        runs = "runs" in names and database.execute("SELECT 1 FROM runs").fetchone()
    if others := sorted(names - set(Base.metadata.tables)):
        why = f"is another program's (it has a table {others[0]})"
    elif runs:
        why = "has runs of no experiment"
    else:
        return
    raise DatabaseError(
        f"{path} {why} and is left as it is: name another file in tracking.uri, or move it away"
    )


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
