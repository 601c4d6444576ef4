"""Figures filed from their folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.tracking.place import Place
from zfrepro import tracking
from zfrepro.tracking import RecordError, Result, of_claims
from zfrepro.tracking.results import FIRST, LOGGED

SERIES = [
    (f"{FIRST}/conv5", step) for step in (0, 1, 8)
]  # 0, where a slider starts: the whole figure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "figure4"
    for epoch in (1, 8):
        path = folder / "series" / "conv5" / f"epoch-{epoch:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * epoch, dtype=np.uint8)).save(path)
    Image.new("RGB", (1000, 500)).save(folder / "conv5.png")
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
    note, run_id = run.data.tags["mlflow.note.content"], run.info.run_id
    assert note.startswith("# What was found\n")
    assert f"![conv5.png](get-artifact?path=previews/conv5.jpg&run_uuid={run_id})" in note
    with Image.open(place.client.download_artifacts(run_id, "previews/conv5.jpg")) as picture:
        assert picture.size == (760, 380)
    assert run.info.status == "FINISHED"
    there = {file.path for file in place.client.list_artifacts(run.info.run_id)}
    assert there == {"conv5.png", "images", "measures.json", "previews", "recipe.json", "report.md"}


def logged(client: MlflowClient, run_id: str) -> list[tuple[str, int]]:
    files = [file.path for file in client.list_artifacts(run_id, "images")]
    matches = [LOGGED.match(path) for path in files if path.endswith(".png")]
    return sorted((match[1].replace("~", "/"), int(match[2])) for match in matches if match)


def test_pictures_of_epochs_are_a_series(place: Place, folder: Path) -> None:
    (published,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert logged(place.client, published.run_id) == SERIES


def test_a_figure_is_filed_once_and_a_changed_one_anew(place: Place, folder: Path) -> None:
    first = tracking.publish_results([Result.read(folder)], [], place.tracking)
    before = place.rows()
    second = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert second[0].action == "unchanged"
    assert place.rows() == before
    Image.new("RGB", (1000, 500), "red").save(folder / "conv5.png")
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
    assert logged(place.client, published.run_id) == SERIES


def test_a_figure_whose_files_were_deleted_is_filed_again(place: Place, folder: Path) -> None:
    (first,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    (artifacts,) = place.folder.glob("mlartifacts/figure4/*/artifacts")
    shutil.rmtree(artifacts)
    (again,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert (again.action, again.run_id) == ("completed", first.run_id)
    assert logged(place.client, again.run_id) == SERIES
    (third,) = tracking.publish_results([Result.read(folder)], [], place.tracking)
    assert third.action == "unchanged"


def test_a_store_that_is_off_gets_nothing(place: Place, folder: Path) -> None:
    off = place.tracking | {"enabled": False}
    assert tracking.publish_results([Result.read(folder)], [], off) == []
    assert place.runs("figure4") == []


def test_an_unfinished_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"not a finished result: it has no recipe\.json"):
        Result.read(tmp_path)


def test_a_table_is_a_run_that_says_it(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "table4.csv"
    path.write_text("row,paper_acc,acc,acc_low,acc_high\nscratch,22.8,51.8,36.4,67.1\nbo,81,,,\n")
    path.with_suffix(".md").write_text("| row | here |\n| --- | --- |\n| scratch | 51.8 |\n")
    (published,) = tracking.publish_results([Result.of_table(path)], [], place.tracking)
    (run,) = place.runs("table4")
    assert (published.experiment, published.run_id) == ("table4", run.info.run_id)
    assert run.data.metrics == {"scratch/acc": 51.8}
    assert "| scratch | &emsp;51.8 |" in run.data.tags["mlflow.note.content"]
    there = {file.path for file in place.client.list_artifacts(run.info.run_id)}
    assert there == {"table4.csv", "table4.md"}


def claim(name: str, verdict: str, *numbers: float | None) -> dict[str, object]:
    effect = dict(zip(("effect", "low", "high"), numbers, strict=True))
    return {
        "id": name, "element": "figure5", "claim": "What | is said", "verdict": verdict,
        "unit": "points", "paper_effect": None, "resampled": "images", "count": 60, "images": 60,
        "networks": ["tab3_zfnet"], **effect,
    }  # fmt: skip


def test_claims_are_a_run_of_verdicts(place: Place, tmp_path: Path) -> None:
    found = [
        claim("moved", "reproduced", 0.288, 0.246, 0.328),
        claim("told", "not tested", *[None] * 3),
    ]
    path = tmp_path / "claims.json"
    path.write_text(json.dumps({"profile": "smoke", "claims": found}))
    (tmp_path / "index.html").write_text("a page that links to the run")
    (published,) = tracking.publish_results([of_claims(path)], [], place.tracking)
    (run,) = place.runs("start_here")
    assert run.data.params == {"moved": "reproduced", "told": "not tested"}
    assert run.data.metrics == {
        "moved/effect": 0.288, "moved/low": 0.246, "moved/high": 0.328,
        "claims/reproduced": 1, "claims/not tested": 1,
    }  # fmt: skip
    note = run.data.tags["mlflow.note.content"]
    assert "1 reproduced, 1 not tested" in note
    assert "What \\| is said | &emsp;figure 5 | &emsp;+0.288 [+0.246, +0.328] points |" in note
    (tmp_path / "index.html").write_text("another page")
    (again,) = tracking.publish_results([of_claims(path)], [], place.tracking)
    assert (again.action, again.fingerprint) == ("unchanged", published.fingerprint)


def test_experiments_are_listed_in_the_papers_order(place: Place, folder: Path) -> None:
    """MLflow lists first what was changed last."""
    path = folder / "claims.json"
    path.write_text(json.dumps({"claims": [claim("a", "reproduced", 1, 0, 2)]}))
    place.client.create_experiment("voc2012")
    results = [of_claims(path), Result.read(folder)]
    tracking.publish_results(reversed(results), [], place.tracking)
    before = place.rows()
    tracking.publish_results(results, [], place.tracking)
    assert place.rows() == before
    listed = place.client.search_experiments(order_by=["last_update_time DESC"])
    names = [each.name for each in listed]
    assert names[:3] == ["start_here", "figure4", "voc2012"]
    note = listed[0].tags["mlflow.note.content"]
    assert f"[figure4](#/experiments/{listed[1].experiment_id})" in note
