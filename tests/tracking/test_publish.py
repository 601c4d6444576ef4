"""Runs filed from their folders."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.run_folders import epochs, run_config, write_run
from tests.tracking.place import FINGERPRINT, KEYS, Place, content, train
from zfrepro import tracking
from zfrepro.config import ROOT
from zfrepro.provenance import git_revision
from zfrepro.tracking import Record, RecordError


def test_publish_files_a_run_as_it_was(place: Place) -> None:
    folder = write_run(place.folder / "run", run_config(place.tracking))
    (published,) = tracking.publish([Record.read(folder)])
    run = place.run()
    assert published == tracking.Published("tab3_zfnet", FINGERPRINT, run.info.run_id, "created")
    assert run.info.start_time == 1704067200_000
    assert run.info.end_time == 1704067210_000
    history = place.client.get_metric_history(run.info.run_id, "val/top1")
    assert [metric.timestamp - run.info.end_time for metric in history] == [-6000, -4000, -2000, 0]
    assert run.data.tags["git_revision"] == "abc123"


def test_publishing_again_changes_nothing(place: Place) -> None:
    records = [
        Record.read(write_run(place.folder / name, run_config(place.tracking, name), name * 2))
        for name in ("tab3_zfnet", "tab3_alexnet")
    ]
    first = tracking.publish(records)
    before = place.rows()
    second = tracking.publish(records)
    assert [run.action for run in first] == ["created", "created"]
    assert [run.action for run in second] == ["unchanged", "unchanged"]
    assert [run.run_id for run in first] == [run.run_id for run in second]
    assert place.rows() == before


def test_an_empty_store_is_filled_with_what_the_live_runs_had(
    place: Place, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but times: of a live run they are the clock's. The machine's load is seen live alone."""
    monkeypatch.setattr(sys.modules["zfrepro.tracking.publish"], "MANY", 2)  # a process draws
    cfgs = [run_config(place.tracking | {"system": 0.1}, name) for name in ("tab3_a", "tab3_b")]
    folders = []
    for cfg in cfgs:
        name, revision = str(cfg["name"]), git_revision(ROOT)
        folders.append(write_run(place.folder / name, cfg, FINGERPRINT, revision))
        train(cfg, epochs(), folders[-1])
    live = content(place.tracking["uri"])
    assert [run["name"] for run in live] == [("table3", "tab3_a"), ("table3", "tab3_b")]
    assert all(run["models"] and len(run["files"]) == 6 for run in live)
    shutil.rmtree(place.folder / "mlartifacts")
    shutil.copy(empty_database, place.database)
    records = [Record.read(folder) for folder in folders]
    for actions in (["created", "created"], ["unchanged", "unchanged"]):
        assert [run.action for run in tracking.publish(records)] == actions
        assert content(place.tracking["uri"]) == live


def test_publish_completes_what_a_broken_store_left(place: Place) -> None:
    cfg = run_config(place.tracking)
    folder = write_run(place.folder / "run", cfg)
    train(cfg, [epochs()[0], epochs()[2]])  # a gap, no files, no model
    run = place.run()
    left = place.client.create_logged_model(
        run.info.experiment_id, name="model", source_run_id=run.info.run_id
    )
    (published,) = tracking.publish([Record.read(folder)])
    assert published.action == "completed"
    assert place.curve() == [(epoch, 90 / epoch) for epoch in range(1, 5)]
    models = place.client.search_logged_models([run.info.experiment_id])
    assert [str(model.status) for model in models] == ["READY"]
    assert left.model_id != models[0].model_id


def test_twins_that_share_a_training_are_two_runs(place: Place) -> None:
    """Two tables may ask for the same network: one folder, one fingerprint, a run for each."""
    folder = write_run(place.folder / "run", run_config(place.tracking))
    twin = run_config(place.tracking, "tab2_zfnet")
    twin["paper"] = twin["paper"] | {"table": "table2"}
    tracking.publish([Record.read(folder), Record.read(folder, twin)])
    assert [run.info.run_name for run in place.runs("table3")] == ["tab3_zfnet"]
    assert [run.info.run_name for run in place.runs("table2")] == ["tab2_zfnet"]


def test_publish_adds_what_an_evaluation_found(place: Place) -> None:
    record = Record.read(write_run(place.folder / "run", run_config(place.tracking)))
    tracking.publish([record])
    for value in (20.0, 21.0):
        tracking.publish([record], {"tab3_zfnet": {"val/top1_ten_crops": value}})
        data = place.run().data
        assert data.metrics["val/top1_ten_crops"] == value
        line = f"| validation top-1 | &emsp;22.5 | &emsp;{value} | &emsp;38.4 |"
        assert line in data.tags["mlflow.note.content"]


def test_publish_leaves_out_runs_whose_tracking_is_off(place: Place) -> None:
    cfg = run_config(place.tracking | {"enabled": False})
    assert tracking.publish([Record.read(write_run(place.folder / "run", cfg))]) == []
    assert place.runs() == []


def test_a_deleted_experiment_comes_back(place: Place) -> None:
    record = Record.read(write_run(place.folder / "run", run_config(place.tracking)))
    tracking.publish([record])
    place.client.delete_experiment(place.run().info.experiment_id)
    assert tracking.publish([record])[0].action in ("created", "unchanged")
    assert len(place.runs()) == 1


def test_records_name_what_is_missing(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", run_config(KEYS))
    (folder / "metrics.json").unlink()
    with pytest.raises(RecordError, match=r"not a finished run: it has no metrics\.json"):
        Record.read(folder)


def test_a_deleted_run_comes_back_once(place: Place) -> None:
    record = Record.read(write_run(place.folder / "run", run_config(place.tracking)))
    (first,) = tracking.publish([record])
    place.client.delete_run(first.run_id)
    (again,) = tracking.publish([record])
    assert again.run_id == first.run_id == place.run().info.run_id


@pytest.mark.parametrize("lost", ["*/artifacts/config.yaml", "*"])
def test_deleted_artifacts_are_filed_again(place: Place, lost: str) -> None:
    record = Record.read(write_run(place.folder / "run", run_config(place.tracking)))
    (first,) = tracking.publish([record])
    before = content(place.tracking["uri"])
    for path in list((place.folder / "mlartifacts" / "table3").glob(lost)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (again,) = tracking.publish([record])
    assert (again.action, again.run_id) == ("completed", first.run_id)
    assert content(place.tracking["uri"]) == before
    assert tracking.publish([record])[0].action == "unchanged"
