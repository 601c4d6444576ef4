"""Folds filed as nested runs."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.tracking.place import Place
from zfrepro import tracking
from zfrepro.tracking import Folds

CSV = """set,arm,classifier,layer,images_per_class,fold,seed,accuracy,strength
caltech101,pretrained,softmax,fc7,15,0,3,60.0,100
caltech101,pretrained,softmax,fc7,15,1,4,64.0,10
caltech101,pretrained,softmax,fc7,30,0,3,70.0,100
caltech101,scratch,softmax,,15,0,3,20.0,
"""


@pytest.fixture
def folds(tmp_path: Path) -> Folds:
    path = tmp_path / "folds.csv"
    path.write_text(CSV)
    return Folds("caltech101", path)


def parent_and_children(place: Place) -> tuple[Run, list[Run]]:
    runs = place.runs("caltech101")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    return parent, children


def test_a_set_has_a_nested_run_for_each_fold(place: Place, folds: Folds) -> None:
    (published,) = tracking.publish_results([], [folds], place.tracking)
    parent, children = parent_and_children(place)
    assert (published.action, published.run_id) == ("created", parent.info.run_id)
    found = {run.info.run_name: run for run in children}
    assert sorted(found) == [
        "caltech101 pretrained softmax fc7 15 fold 0",
        "caltech101 pretrained softmax fc7 15 fold 1",
        "caltech101 pretrained softmax fc7 30 fold 0", "caltech101 scratch softmax 15 fold 0",
    ]  # fmt: skip
    fold = found["caltech101 pretrained softmax fc7 15 fold 1"]
    assert fold.data.metrics == {"accuracy": 64.0}
    assert fold.data.params["seed"] == "4"
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}


def test_the_means_over_folds_are_a_curve_over_images_per_class(place: Place, folds: Folds) -> None:
    (published,) = tracking.publish_results([], [folds], place.tracking)
    history = place.client.get_metric_history(published.run_id, "pretrained/softmax/fc7")
    assert [(each.step, each.value) for each in history] == [(15, 62.0), (30, 70.0)]


def test_folds_are_filed_once_and_changed_ones_anew(place: Place, folds: Folds) -> None:
    tracking.publish_results([], [folds], place.tracking)
    before = place.rows()
    (again,) = tracking.publish_results([], [folds], place.tracking)
    assert again.action == "unchanged"
    assert place.rows() == before
    folds.path.write_text(CSV.replace("64.0", "65.0"))
    (changed,) = tracking.publish_results([], [Folds(folds.name, folds.path)], place.tracking)
    assert changed.action == "created"


def test_deleted_folds_come_back_once(place: Place, folds: Folds) -> None:
    (first,) = tracking.publish_results([], [folds], place.tracking)
    for run in place.runs("caltech101"):
        place.client.delete_run(run.info.run_id)
    assert place.runs("caltech101") == []
    (again,) = tracking.publish_results([], [folds], place.tracking)
    assert again.run_id == first.run_id
    assert len(place.runs("caltech101")) == 5


def test_what_a_broken_store_left_is_completed(
    place: Place, folds: Folds, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = MlflowClient.log_batch, 0

    def breaks(self: MlflowClient, *args: object, **named: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError("the store is gone")
        original(self, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", breaks)
        with pytest.raises(OSError, match="the store is gone"):
            tracking.publish_results([], [folds], place.tracking)
    (published,) = tracking.publish_results([], [folds], place.tracking)
    assert published.action == "completed"
    _, children = parent_and_children(place)
    assert len(children) == 4
    assert all(run.data.metrics for run in children)
