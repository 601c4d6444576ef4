"""Networks by the names that a user types, wherever their runs were made."""

import json
from pathlib import Path

import pytest

from tests.run_folders import run_config, write_run
from zfrepro import config, networks

PROFILE = config.load(config.PARAMS)["profile"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without any run."""
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / ".checkpoints")
    monkeypatch.setattr(networks, "RUNS", tmp_path / "results" / "runs")
    monkeypatch.setattr(networks, "PREPARED", tmp_path / "results" / "prepared" / "source")
    return tmp_path


def made(place: Path, fingerprint: str, finished: str, profile: str = PROFILE) -> Path:
    """A run in .checkpoints/, as `python -m zfrepro.train` leaves it."""
    cfg = run_config({}, "tab3_no_fc6", profile=profile)
    folder = write_run(place / ".checkpoints" / fingerprint / "run", cfg, fingerprint)
    recipe = json.loads((folder / "run.json").read_text()) | {"finished": finished}
    (folder / "run.json").write_text(json.dumps(recipe))
    return folder


def test_a_run_of_the_command_is_known_by_name(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = made(place, "b", "2026-01-01T00:00:00+00:00")
    newer = made(place, "a", "2026-01-02T00:00:00+00:00")
    made(place, "c", "2026-01-03T00:00:00+00:00", profile="another")
    assert networks.weights_of(["tab3_no_fc6"]) == newer / "weights.pt"
    assert f"finished at 2026-01-02T00:00:00+00:00, in {newer}" in capsys.readouterr().err
    (newer / "weights.pt").unlink()  # a run that is not whole
    assert networks.weights_of(["tab3_no_fc6"]) == older / "weights.pt"
    (older / "run.json").write_text("{")
    assert networks.run_of("tab3_no_fc6") == place / ".checkpoints" / "c" / "run"


def test_the_study_comes_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(place, "a", "2026-01-02T00:00:00+00:00")
    own = write_run(place / "results" / "runs" / "tab3_no_fc6", run_config({}, "tab3_no_fc6"))
    assert networks.weights_of(["tab3_no_fc6"]) == own / "weights.pt"
    assert not capsys.readouterr().err


def test_what_is_not_trained_says_how_it_would_be(place: Path) -> None:
    made(place, "a", "2026-01-02T00:00:00+00:00")
    with pytest.raises(FileNotFoundError, match=r"`python -m zfrepro\.train \+experiment=tab3_fc"):
        networks.weights_of(["tab3_fc2048"])
    with pytest.raises(FileNotFoundError, match=r"tab3_nofc6 is not a file.*trained: tab3_no_fc6;"):
        networks.weights_of(["tab3_nofc6"])


def test_the_images_of_a_network_are_those_it_was_trained_on(place: Path) -> None:
    run = made(place, "a", "2026-01-02T00:00:00+00:00")
    digest = json.loads((run / "run.json").read_text())["data"]["digest"]
    for name, content in (("one", "x" * 64), ("two", digest)):
        folder = place / ".checkpoints" / name
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps({"digest": content}))
    assert networks.images_of(run / "weights.pt") == place / ".checkpoints" / "two"
    assert networks.images_of(place / "weights.pt") == networks.PREPARED


def test_a_network_of_the_project_is_known_by_name_and_stands_in_for_one_not_trained(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(networks, "SHIPPED", place / "shipped")
    for name in ("rendered_alexnet", "rendered_zfnet"):
        write_run(place / "shipped" / name, run_config({}, name))
    assert networks.shipped() == ["rendered_alexnet", "rendered_zfnet"]
    zfnet, alexnet = (
        place / "shipped" / name / "weights.pt" for name in ("rendered_zfnet", "rendered_alexnet")
    )
    assert networks.weights_of(["rendered_zfnet"]) == zfnet
    assert networks.shown(["rendered_alexnet"]) == alexnet
    assert not capsys.readouterr().err
    assert networks.shown(["tab3_alexnet"]) == alexnet
    assert networks.shown() == networks.shown(["tab3_no_fc6"]) == zfnet
    said = capsys.readouterr().err
    assert "tab3_no_fc6 has not been trained here: rendered_zfnet, which comes with" in said
    with pytest.raises(FileNotFoundError, match="with the project: rendered_alexnet, rendered_zf"):
        networks.weights_of(["tab3_no_fc6"])  # numbers are of what was named alone
    run = made(place, "a", "2026-01-02T00:00:00+00:00")
    assert networks.shown(["tab3_no_fc6"]) == run / "weights.pt"
    with pytest.raises(FileNotFoundError, match="has not been trained yet"):
        networks.shown(["tab3_fc2048"])
