"""A tracking server: runs filed through it while it is killed, restarted, stalled and down."""

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.run_folders import MANIFEST, epochs, run_config, write_run
from tests.tracking.place import KEYS, Place, Relay, Server, content, python, train, wait_for
from zfrepro import tracking
from zfrepro.config import ROOT
from zfrepro.provenance import git_revision
from zfrepro.tracking import Record

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    server = Server(folder)
    server.start()
    yield server
    server.kill()


PUBLISH = """
import sys
from pathlib import Path
from zfrepro.tracking import Record, publish
print(publish([Record.read(Path(sys.argv[1]))])[0].action)
"""


def steps(uri: str, name: str) -> set[int]:
    """The epochs of a run that the server has."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("table3")
    runs = client.search_runs([found.experiment_id], f"run_name = '{name}'") if found else []
    return {
        each.step for run in runs for each in client.get_metric_history(run.info.run_id, "val/top1")
    }


def written(folder: Path, name: str, **keys: object) -> tuple[dict[str, object], Path]:
    """A configuration, and the folder that its training leaves; the environment names the store."""
    cfg = run_config(KEYS | keys, name)
    return cfg, write_run(folder / name, cfg, name * 2, git_revision(ROOT))


def test_a_server_that_was_away_has_it_all_in_the_end(
    server: Server, place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of one training, it is down for the whole of another, and comes back."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    killed, killed_folder = written(place.folder, "killed", system=0.2)
    down, down_folder = written(place.folder, "down")
    rows = epochs()
    with tracking.track(killed, "killed" * 2, MANIFEST) as tracker:
        tracker.log_epoch(rows[0])
        wait_for(lambda: steps(server.uri, "killed") == {1})
        server.kill()
        for row in rows[1:3]:
            start = time.monotonic()
            tracker.log_epoch(row)
            assert time.monotonic() - start < 0.1
        wait_for(lambda: bool(caplog.records))
        train(down, rows, down_folder)
        server.start()
        tracker.log_epoch(rows[3])
        wait_for(lambda: steps(server.uri, "killed") == {1, 2, 3, 4})
        tracker.finish(killed_folder)
    assert ["Training goes on" in record.message for record in caplog.records] == [True, True]
    records = [Record.read(folder) for folder in (killed_folder, down_folder)]
    errors = {"down": {"val/top1_ten_crops": 20.0}}
    for actions in (["unchanged", "created"], ["unchanged", "unchanged"]):
        assert [run.action for run in tracking.publish(records, errors)] == actions
    registered = tracking.register_best(records, errors)
    assert registered == tracking.Registered("down", "1", moved=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.tracking["uri"])
    tracking.publish(records, errors)
    for there, here in zip(content(server.uri), content(place.tracking["uri"]), strict=True):
        assert there == here


def test_a_server_that_stalls_in_the_middle_holds_nobody(
    server: Server, place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(server.port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", relay.uri)
    cfg, folder = written(place.folder, "stalled", patience=1)
    with tracking.track(cfg, "stalled" * 2, MANIFEST) as tracker:
        tracker.log_epoch(epochs()[0])
        wait_for(lambda: steps(server.uri, "stalled") == {1})
        relay.stall()
        start = time.monotonic()
        for row in epochs()[1:]:
            tracker.log_epoch(row)
        tracker.finish(folder)
        assert time.monotonic() - start < 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    relay.hang_up()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    later = python(PUBLISH, str(folder))  # here MLflow remembers the relay as the artifacts' server
    assert later.communicate()[0] == "completed\n"
    assert steps(server.uri, "stalled") == {1, 2, 3, 4}
