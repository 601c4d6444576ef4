"""Figures filed from their folders."""

import json
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.tracking.place import Place
from zfrepro import tracking
from zfrepro.tracking import RecordError, Result
from zfrepro.tracking.results import LOGGED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "figure4"
    for epoch in (1, 8):
        path = folder / "series" / "conv5" / f"epoch-{epoch:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * epoch, dtype=np.uint8)).save(path)
    (folder / "conv5.png").write_bytes(b"a picture")
    (folder / "measures.json").write_text('{"settled/conv5": 3.5, "changed/conv5": NaN}')
    (folder / "report.md").write_text("# What was found")
    recipe = {"stage": "evolution", "maps": 6, "layers": ["conv1", "conv5"], "show": {"conv5": 2}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def test_a_figure_is_a_run_with_all_its_files(place: Place, folder: Path) -> None:
    (published,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    (run,) = place.runs("figure4")
    assert (published.experiment, published.action) == ("figure4", "created")
    assert published.run_id == run.info.run_id
    assert run.data.params == {"stage": "evolution", "maps": "6"}
    assert run.data.tags["layers"] == "conv1, conv5"
    assert run.data.tags["show.conv5"] == "2"
    assert run.data.metrics == {"settled/conv5": 3.5}
    assert run.data.tags["mlflow.note.content"] == "# What was found"
    assert run.info.status == "FINISHED"
    there = {file.path for file in place.client.list_artifacts(run.info.run_id)}
    assert there == {"conv5.png", "images", "measures.json", "recipe.json", "report.md"}


def logged(client: MlflowClient, run_id: str) -> list[tuple[str, int]]:
    files = [file.path for file in client.list_artifacts(run_id, "images")]
    matches = [LOGGED.match(path) for path in files if path.endswith(".png")]
    return sorted((match[1], int(match[2])) for match in matches if match)


def test_pictures_of_epochs_are_a_series(place: Place, folder: Path) -> None:
    (published,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert logged(place.client, published.run_id) == [("conv5", 1), ("conv5", 8)]


def test_a_figure_is_filed_once_and_a_changed_one_anew(place: Place, folder: Path) -> None:
    first = tracking.publish_results([Result.read(folder)], [], place.tracking)
    before = place.rows()
    second = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert second[0].action == "unchanged"
    assert place.rows() == before
    (folder / "conv5.png").write_bytes(b"another picture")
    third = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert third[0].action == "created"
    assert third[0].run_id != first[0].run_id


def test_what_a_broken_store_left_is_completed(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the store is gone")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", broken)
        with pytest.raises(OSError, match="the store is gone"):
            tracking.publish_results([Result.read(folder)], [], place.tracking)
    (published,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert published.action == "completed"
    assert len(place.runs("figure4")) == 1
    assert logged(place.client, published.run_id) == [("conv5", 1), ("conv5", 8)]


def test_a_store_that_is_off_gets_nothing(place: Place, folder: Path) -> None:
    off = place.tracking | {"enabled": False}
    assert tracking.publish_results([Result.read(folder)], [], off) == []
    assert place.runs("figure4") == []


def test_an_unfinished_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no finished result: it has no recipe\.json"):
        Result.read(tmp_path)
