"""The SQLite file: made whole, put aside where it is half made, and following its folder."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from tests.run_folders import run_config, write_run
from tests.tracking.place import KEYS, Place
from zfrepro import tracking
from zfrepro.tracking import Record, database
from zfrepro.tracking.database import DatabaseError, make_ready
from zfrepro.tracking.settings import Settings, sqlite_uri
from zfrepro.tracking.store import Store

NAMES = [
    "a b", "it's \"so\"", "a[b](c){d}", "a#b", "a=b&c", "äö", "a%20b", "100%", "a?b=c", "a:b@c",
    "a\\b",
]  # fmt: skip


@pytest.fixture
def copies_empty(monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> None:
    """Making the tables takes seconds."""

    def copy(path: Path, _artifacts: Path) -> None:
        shutil.copy(empty_database, path)

    monkeypatch.setattr(database, "_make", copy)


def test_a_store_that_could_not_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: SqlAlchemyStore, uri: str, _root: str) -> None:
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as half:
            half.execute("CREATE TABLE experiments (artifact_location)")
        raise OSError("No space left on device")

    monkeypatch.setattr(SqlAlchemyStore, "__init__", full)
    with pytest.raises(OSError, match="No space left"):
        make_ready(tmp_path / "mlflow.db", tmp_path / "mlartifacts")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("copies_empty")
@pytest.mark.parametrize("tables", [[], ["alembic_version"], ["experiments", "runs"]])
def test_a_half_made_one_is_put_aside(
    tmp_path: Path, tables: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as half:
        half.execute("PRAGMA user_version = 1")
        for table in tables:
            half.execute(f"CREATE TABLE {table} (artifact_location)")
    make_ready(path, None)
    assert database._is_made(path)
    assert path.with_name("mlflow.db.half-made").is_file()
    assert "half made" in caplog.text
    caplog.clear()
    make_ready(path, None)
    assert caplog.text == ""


@pytest.mark.usefixtures("copies_empty")
def test_nothing_that_was_put_aside_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    for content in (b"first", b"second"):
        path.unlink(missing_ok=True)
        path.with_name("mlflow.db-wal").write_bytes(content)
        make_ready(path, None)
    with closing(sqlite3.connect(path)) as half:
        half.execute("DROP TABLE experiments")
    make_ready(path, None)
    assert path.with_name("mlflow.db.half-made-wal").read_bytes() == b"first"
    assert path.with_name("mlflow.db.half-made.2-wal").read_bytes() == b"second"
    assert path.with_name("mlflow.db.half-made.3").is_file()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("CREATE TABLE addresses (name)", "is another program's .*addresses"),
        (
            "CREATE TABLE experiments (name); INSERT INTO experiments VALUES ('a');"
            "CREATE TABLE addresses (name)",
            "is another program's .*addresses",
        ),
        (
            "CREATE TABLE experiments (artifact_location);"
            "CREATE TABLE runs (name); INSERT INTO runs VALUES ('a')",
            "has runs of no experiment",
        ),
    ],
)
def test_another_database_is_left_alone(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "mine.db"
    with closing(sqlite3.connect(path)) as mine:
        mine.executescript(content)
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=rf"mine\.db {why}.*another file in tracking\.uri"):
        make_ready(path, None)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("copies_empty")
def test_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    for name in (".mlflow.db.x1.part", ".mlflow.db.x1.part-journal"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "mlflow.db").touch()  # as it is while SQLite has written nothing
    make_ready(tmp_path / "mlflow.db", None)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseError, match=r"mlflow\.db is damaged .*`dvc repro -f publish`"):
        make_ready(path, None)
    assert path.read_bytes() == b"no database" * 100


@pytest.mark.parametrize("name", NAMES)
def test_a_checkout_of_any_name(tmp_path: Path, empty_database: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    settings = Settings.of(KEYS | {"uri": sqlite_uri(folder / "mlflow.db")})
    assert settings.database == folder / "mlflow.db"
    store = Store(settings)
    run, _ = store.run(store.experiment("table3", "note"), {"fingerprint": "f"}, "row")
    store.client.log_text(run.info.run_id, "text", "a.txt")
    (found,) = folder.glob("mlartifacts/table3/*/artifacts/a.txt")
    assert found.read_text() == "text"
    assert store.artifacts(run.info.run_id) == {"a.txt"}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert b"table3" in (folder / "mlflow.db").read_bytes()


def moved(place: Place, how: str, target: Path) -> Place:
    if how == "renamed":
        place.folder.rename(target)
    else:
        shutil.copytree(place.folder, target)
    return Place(target)


@pytest.mark.parametrize("how", ["renamed", "copied"])
def test_a_store_follows_its_folder(
    tmp_path: Path, empty_database: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(empty_database, tmp_path / "old" / "mlflow.db")
    old = Place(tmp_path / "old")
    cfg = run_config(old.tracking)
    (before,) = tracking.publish([Record.read(write_run(tmp_path / "run", cfg))])
    new = moved(old, how, tmp_path / "a new=place")
    _artifact_repos_cache.clear()  # a process that starts there has none
    cfg["tracking"] = new.tracking
    (after,) = tracking.publish([Record.read(tmp_path / "run", cfg)])
    assert (after.action, after.run_id) == ("unchanged", before.run_id)
    assert "where this has moved" in caplog.text
    files = {file.path for file in new.client.list_artifacts(after.run_id)}
    assert {"config.yaml", "learning_curves.png"} <= files
    (model,) = Store(Settings.of(new.tracking)).models(after.run_id)
    assert new.client.list_logged_model_artifacts(model.model_id)
    new.client.log_text(after.run_id, "text", "later.txt")
    assert list(new.folder.glob("mlartifacts/table3/*/artifacts/later.txt"))
    assert not list((tmp_path / "old").glob("mlartifacts/table3/*/artifacts/later.txt"))


def test_artifacts_that_stand_elsewhere_stay_there(tmp_path: Path, empty_database: Path) -> None:
    """A server's, a bucket's, and another folder's that is still there."""
    path, other = tmp_path / "mlflow.db", tmp_path / "other" / "mlartifacts" / "c"
    shutil.copy(empty_database, path)
    other.mkdir(parents=True)
    client = MlflowClient(sqlite_uri(path))
    places = {"a": "s3://bucket/mlartifacts/a", "b": (tmp_path / "b").as_uri(), "c": other.as_uri()}
    for name, location in places.items():
        client.create_experiment(name, location)
    make_ready(path, tmp_path / "mlartifacts")
    found = {name: client.get_experiment_by_name(name).artifact_location for name in places}
    assert found == places
