"""Runs filed while they train: resumed, killed, and with a store that is down."""

import json
import logging
import re
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.run_folders import MANIFEST, epochs, run_config, write_run
from tests.tracking.place import FINGERPRINT, KEYS, Place, python, train, wait_for
from zfrepro import processes, tracking
from zfrepro.config import ROOT, load
from zfrepro.tracking import Record

pytestmark = pytest.mark.slow


def test_a_training_is_filed_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    train(cfg, epochs(), folder)
    run = place.run()
    assert run.info.run_name == "tab3_zfnet"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["val/top1"] == 90 / 4
    assert run.data.metrics["paper/val_top1"] == 38.4
    assert "paper/train_top1" not in run.data.metrics  # the config gives none
    assert "seconds" not in run.data.metrics
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]
    assert run.data.params["batch"] == "32"
    assert run.data.params["parameters"] == "1234"
    assert 12 <= len(run.data.params) <= 20
    expected = {"fingerprint": FINGERPRINT, "experiment": "tab3_zfnet", "profile": "smoke"}
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags["mlflow.source.name"].startswith("python -m zfrepro.train +experiment=")
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "miniature"
    assert json.loads(data.dataset.profile) == {"train_images": 300, "val_images": 100}
    files = {file.path for file in place.client.list_artifacts(run.info.run_id)}
    assert files == {
        "config.yaml", "run.json", "epochs.csv", "metrics.json", "learning_curves.png", "previews"
    }  # fmt: skip
    picture = f"get-artifact?path=previews/learning_curves.jpg&run_uuid={run.info.run_id}"
    assert picture in run.data.tags["mlflow.note.content"]
    assert sorted(path.name for path in place.folder.iterdir()) == [
        "mlartifacts", "mlflow.db", "mlflow.db.lock", "run",
    ]  # fmt: skip


def test_epochs_show_while_the_training_runs(place: Place) -> None:
    with tracking.track(run_config(place.tracking), FINGERPRINT, MANIFEST) as tracker:
        tracker.log_epoch(epochs()[0])
        wait_for(lambda: bool(place.runs()) and "val/top1" in place.run().data.metrics)
        run = place.run()
        assert run.info.status == "RUNNING"
        assert "paper/val_top1" in run.data.metrics
        assert place.client.list_artifacts(run.info.run_id)[0].path == "config.yaml"


def test_a_resumed_training_goes_on_with_its_run(place: Place) -> None:
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    with pytest.raises(SystemExit):
        train(cfg, epochs()[:2], error=SystemExit(143))
    first = place.run()
    assert first.info.status == "KILLED"
    train(cfg, epochs()[1:], folder)  # epoch 2 again: killed before its checkpoint was written
    again = place.run()
    assert again.info.run_id == first.info.run_id
    assert again.info.status == "FINISHED"
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "KILLED"), (SystemExit(143), "KILLED"), (ValueError("x"), "FAILED")],
)
def test_how_a_training_ended(place: Place, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)):
        train(run_config(place.tracking), epochs()[:1], error=error)
    assert place.run().info.status == status
    assert place.curve() == [(1, 90.0)]


PROGRAM = """
import sys, time
from zfrepro import processes, tracking
from tests.run_folders import MANIFEST, epochs, run_config
processes.exit_on_signals()
with tracking.track(run_config(eval(sys.argv[1])), "f" * 16, MANIFEST) as tracker:
    tracker.log_epoch(epochs()[0])
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGTERM, 143, "KILLED"), (signal.SIGKILL, -9, "RUNNING")],
)
def test_a_killed_training_is_taken_up_again(
    place: Place, number: signal.Signals, code: int, status: str
) -> None:
    process = python(PROGRAM, repr(place.tracking))
    wait_for(lambda: bool(place.runs()) and "val/top1" in place.run().data.metrics)
    process.send_signal(number)
    assert process.wait() == code
    assert place.run().info.status == status
    cfg = run_config(place.tracking)
    (published,) = tracking.publish([Record.read(write_run(place.folder / "run", cfg))])
    assert published.action == "completed"
    assert place.run().info.status == "FINISHED"
    assert [step for step, _ in place.curve()] == [1, 2, 3, 4]


def test_params_are_logged_once_and_later_differences_become_tags(place: Place) -> None:
    cfg = run_config(place.tracking)
    train(cfg, epochs()[:1])
    changed = cfg | {"training": cfg["training"] | {"batch": 64}}
    train(changed, epochs()[:2])
    run = place.run()
    assert run.data.params["batch"] == "32"
    assert run.data.tags["changed.batch"] == "64"


def test_infinite_and_missing_values_are_left_out(place: Place) -> None:
    row = {"epoch": 1.0, "train/loss": float("nan"), "val/loss": float("inf"), "val/top1": 90.0}
    train(run_config(place.tracking), [row])
    assert "train/loss" not in place.run().data.metrics
    assert "val/loss" not in place.run().data.metrics
    assert place.curve() == [(1, 90.0)]


def test_the_machine_is_watched(place: Place) -> None:
    cfg = run_config(place.tracking | {"system": 0.1})
    with tracking.track(cfg, FINGERPRINT, MANIFEST):
        wait_for(
            lambda: any("system/cpu" in key for run in place.runs() for key in run.data.metrics)
        )


@pytest.mark.parametrize(
    "off",
    [
        KEYS | load(ROOT / "conf" / "tracking" / "disabled.yaml"),
        KEYS | load(ROOT / "conf" / "tracking" / "mlflow.yaml") | {"live": False},
    ],
)
def test_tracking_switched_off_imports_no_mlflow(off: dict[str, Any]) -> None:
    program = f"""
import sys
from zfrepro import tracking
with tracking.track({{"tracking": {off!r}}}, "f", {{}}) as tracker:
    tracker.log_epoch({{"epoch": 1}})
    tracker.finish(None)
print("mlflow" in sys.modules or "torch" in sys.modules)
"""
    process = python(program)
    assert process.communicate()[0] == "False\n"
    assert process.returncode == 0


# a store that is down


def test_a_dead_server_costs_no_time_and_no_metric(
    place: Place, dead_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = run_config(place.tracking | {"uri": dead_uri})
    folder = write_run(place.folder / "run", cfg)
    start = time.monotonic()
    with caplog.at_level(logging.WARNING, "zfrepro.tracking"):
        train(cfg, epochs(), folder)
    assert time.monotonic() - start < 2
    (warning,) = caplog.records
    assert dead_uri in warning.message
    assert "dvc repro publish" in warning.message
    with pytest.raises(Exception, match=r"(?i)connection"):
        tracking.publish([Record.read(folder)])
    back = run_config(place.tracking)
    assert tracking.publish([Record.read(folder, back)])[0].action == "created"
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]


def test_a_silent_server_holds_nobody(place: Place, silent_uri: str) -> None:
    cfg = run_config(place.tracking | {"uri": silent_uri, "patience": 1.5})
    start = time.monotonic()
    with tracking.track(cfg, FINGERPRINT, MANIFEST) as tracker:
        for row in epochs():
            tracker.log_epoch(row)
        assert time.monotonic() - start < 0.5
        tracker.finish(place.folder)
    assert time.monotonic() - start < 2.5


def test_a_stopped_training_lets_a_silent_server_go_before_it_is_ended(
    place: Place, silent_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = run_config(place.tracking | {"uri": silent_uri})
    start = time.monotonic()
    with pytest.raises(SystemExit), tracking.track(cfg, FINGERPRINT, MANIFEST):
        raise SystemExit(143)
    assert time.monotonic() - start < processes.GRACE - 1
    assert "no answer in time" in caplog.text


def test_a_store_that_fails_for_a_while_gets_all_in_the_end(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    log_batch, calls = MlflowClient.log_batch, iter(range(100))

    def flaky(*args: Any, **kwargs: Any) -> None:
        if 1 <= next(calls) <= 2:
            raise ConnectionError("away")
        log_batch(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", flaky)
    with tracking.track(cfg, FINGERPRINT, MANIFEST) as tracker:
        for row in epochs():
            tracker.log_epoch(row)
            time.sleep(0.3)
        tracker.finish(folder)
    assert len(caplog.records) == 1
    assert place.run().info.status == "FINISHED"
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be written beyond its first page: SQLite says that the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_database_on_a_full_disk_is_one_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    with tracking.track(cfg, FINGERPRINT, MANIFEST) as tracker:
        tracker.log_epoch(epochs()[0])
        wait_for(lambda: bool(place.runs()) and place.curve() == [(1, 90.0)])
        with full_disk():
            for row in epochs()[1:]:
                tracker.log_epoch(row)
            tracker.finish(folder)
    (warning,) = caplog.records
    assert re.search(r"disk I/O error|disk is full", warning.message)
    (published,) = tracking.publish([Record.read(folder)])
    assert published.action == "completed"
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]


def test_artifacts_that_cannot_be_written_are_one_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = place.folder / "mlartifacts"
    blocked.write_text("where a folder should be")
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    train(cfg, epochs(), folder)
    assert len(caplog.records) == 1
    blocked.unlink()
    (published,) = tracking.publish([Record.read(folder)])
    assert published.action == "completed"
    files = {file.path for file in place.client.list_artifacts(published.run_id)}
    assert {"config.yaml", "learning_curves.png"} <= files
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]


def test_a_store_that_cannot_be_used_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    train(run_config(KEYS | {"uri": f"sqlite:///{tmp_path}/file/mlflow.db"}), epochs())
    assert len(caplog.records) == 1
    assert not (ROOT / "mlruns").exists()
