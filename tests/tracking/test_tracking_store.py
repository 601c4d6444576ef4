"""Where runs are filed, and several processes that come there at once."""

from pathlib import Path

import pytest

from tests.tracking.place import KEYS, Place, python
from zfrepro.config import ROOT, load
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
    ],
)
def test_places(
    uri: str | None, resolved: str, artifacts: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = Settings.of(KEYS | {"uri": uri})
    assert settings.resolved_uri == resolved
    assert settings.artifact_root == artifacts


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
    keys = load(ROOT / "conf" / "tracking" / f"{option}.yaml")
    assert Settings.of(keys).enabled == (option == "mlflow")
