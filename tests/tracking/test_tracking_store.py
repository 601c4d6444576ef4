"""Where runs are filed, and several processes that come there at once."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.tracking.place import KEYS, Place, python
from zfrepro.config import ROOT, ConfigError, compose_experiment
from zfrepro.tracking.settings import Settings

STARTER = """
import sys
from zfrepro.tracking.settings import Settings, tame_mlflow
tame_mlflow(timeout=5, retries=0)
from zfrepro.tracking.filing import Filed
from zfrepro.tracking.store import Store
from tests.run_folders import epochs, run_config
cfg = run_config(eval(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
run = Filed.open(Store(Settings.of(cfg["tracking"])), cfg, sys.argv[3])
run.log_epochs(epochs(), {epoch: epoch for epoch in range(9)})
"""


@pytest.mark.slow
def test_first_starts_at_once_on_a_fresh_database(tmp_path: Path) -> None:
    """They begin when their standard input closes; the last two are the same run."""
    place = Place(tmp_path)
    jobs = [("a", "1"), ("b", "2"), ("b", "2")]
    processes = [python(STARTER, repr(place.tracking), *job, pipe=True) for job in jobs]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * len(jobs)
    assert sorted(run.info.run_name for run in place.runs()) == ["a", "b"]
    assert all(run.data.metrics["val/top1"] == 90 / 4 for run in place.runs())


@pytest.mark.parametrize(
    ("uri", "resolved", "artifacts"),
    [
        (None, f"sqlite:///{ROOT}/mlflow.db", (ROOT / "mlartifacts").as_uri()),
        ("sqlite:///sub/a.db", f"sqlite:///{ROOT}/sub/a.db", (ROOT / "sub/mlartifacts").as_uri()),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db", "file:///tmp/mlartifacts"),
        ("http://host:5000", "http://host:5000", None),
        ("postgresql://host/db", "postgresql://host/db", (ROOT / "mlartifacts").as_uri()),
        ("sqlite:///~/a.db", "sqlite:////home/me/a.db", "file:///home/me/mlartifacts"),
        ("sqlite+pysqlite:////tmp/a.db", "sqlite:////tmp/a.db", "file:///tmp/mlartifacts"),
    ],
)
def test_places(
    uri: str | None, resolved: str, artifacts: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setitem(sys.modules, "psycopg", ModuleType("psycopg"))
    monkeypatch.setitem(sys.modules, "psycopg2", ModuleType("psycopg2"))
    settings = Settings.of(KEYS | {"uri": uri})
    assert settings.resolved_uri == resolved
    assert settings.artifact_root == artifacts


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("127.0.0.1:5000", r"tracking\.uri=127\.0\.0\.1:5000 .* say http://127\.0\.0\.1:5000 of"),
        ("localhost:5000/", r"say http://localhost:5000/ of a server"),
        ("/data/runs", r"say sqlite:////data/runs/mlflow\.db of files in a folder"),
        ("file:///data/runs", r"say sqlite:////data/runs/mlflow\.db of files in a folder"),
        ("sqlite://", r"names no file: say sqlite:///mlflow\.db"),
        ("sqlite:////tmp", r"names no file"),
        ("sqlite:///~nobody-here/x.db", r"home directory"),
        ("oracle://host/db", r"say http://, https://, sqlite://, postgresql://"),
        ("mysql://me:secret@host/db", r"me:\*\*\*@host.* pip install 'zfrepro\[mysql\]'"),
        ("postgresql+psycopg://host/db", r"pip install 'zfrepro\[postgresql\]'"),
        ("mssql+pyodbc://host/db", r"not installed \(.*pyodbc"),
    ],
)
def test_what_is_no_address_is_refused_with_what_was_meant(
    uri: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("psycopg", "MySQLdb", "pymysql", "pyodbc"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=said) as caught:
        Settings.of(KEYS | {"uri": uri})
    assert "secret" not in str(caught.value)
    assert Settings.of(KEYS | {"uri": uri, "enabled": False}).enabled is False


def test_passwords_are_not_shown() -> None:
    shown = Settings.of(KEYS | {"uri": "https://me:secret@host:5000"}).shown
    assert shown == "https://me:***@host:5000"


def test_the_environment_names_the_store_where_the_configuration_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert Settings.of(KEYS).resolved_uri == "http://elsewhere"
    assert Settings.of(KEYS | {"uri": "http://here"}).resolved_uri == "http://here"
    own = Settings.of(KEYS | {"artifacts": "s3://bucket/runs"})
    assert own.artifact_root == "s3://bucket/runs"


@pytest.mark.parametrize("option", ["mlflow", "disabled"])
def test_the_options_have_all_keys(option: str) -> None:
    composed = compose_experiment("tab3_zfnet", ["profile=smoke", f"tracking={option}"])
    assert Settings.of(composed["tracking"]).enabled == (option == "mlflow")
