"""The images that a training makes for itself."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from pipelines import prepare
from tests.data.pictures import small_tree
from zfrepro import config, files, images, networks, runs
from zfrepro.data.store import PreparedSet, seal

OVERLAP = config.compose_analysis()["overlap"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing has been prepared, beside a folder of photographs."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / ".checkpoints")
    monkeypatch.setattr(networks, "PREPARED", tmp_path / "results" / "prepared" / "source")
    monkeypatch.setattr(runs, "EXCLUDED", tmp_path / "results" / "overlap" / "excluded.parquet")
    monkeypatch.setenv("ZFREPRO_FOLDER", str(small_tree(tmp_path / "photos")))
    return tmp_path


def folder_config(**data: Any) -> config.Config:
    cfg = config.compose_experiment("tab3_zfnet", ["profile=folder", "data.image_size=32"])
    return cfg | {"data": cfg["data"] | data}


def test_they_are_made_once_and_nothing_of_the_stages_is_touched(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = place / "results" / "prepared" / "source" / "manifest.json"
    other = {
        "image_size": 64,
        "classes": [],
        "splits": {},
        "files": {},
        "config": {"name": "miniature"},
    }
    files.write_json(stale, other | {"seal": seal(other)})
    before = stale.read_bytes()
    cfg = folder_config()
    first = images.made(cfg, {}, OVERLAP)
    assert first.folder.parent == place / ".checkpoints"
    assert len(first.split("train")) == 6
    said = capsys.readouterr()
    assert said.out == ""
    assert "preparing the images of profile folder, once" in said.err
    assert "folder: 2 classes (cat, dog)" in said.err
    again = images.made(cfg, {}, OVERLAP)
    assert again.folder == first.folder
    assert "preparing" not in capsys.readouterr().err
    assert images.known(cfg).folder == first.folder
    assert stale.read_bytes() == before
    assert [path.name for path in stale.parent.iterdir()] == ["manifest.json"]
    assert images.find(folder_config(image_size=24)["data"]) is None


def test_another_folder_of_the_users_is_another_set(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = images.made(folder_config(), {}, OVERLAP)
    other = small_tree(place / "others")
    next(path for path in other.rglob("*") if path.is_file()).unlink()
    monkeypatch.setenv("ZFREPRO_FOLDER", str(other))
    second = images.made(folder_config(), {}, OVERLAP)
    assert second.folder != first.folder
    files.link_tree(second.folder, place / "results" / "prepared" / "source")
    monkeypatch.setenv("ZFREPRO_FOLDER", str(place / "photos"))
    assert images.made(folder_config(), {}, OVERLAP).folder == first.folder


def test_what_stands_is_taken_without_the_raw_images(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the source and of a transfer set, and no list of shared images beside them."""
    cfg = folder_config()
    made = images.made(cfg, {}, OVERLAP).folder
    for name in ("source", "caltech101"):
        shown = place / "results" / "prepared" / name
        files.link_tree(made, shown)
        manifest = json.loads((shown / "manifest.json").read_text())
        manifest["config"] |= {"name": name}
        files.write_json(shown / "manifest.json", manifest | {"seal": seal(manifest)})
    shutil.rmtree(place / "photos")
    monkeypatch.setattr(prepare, "made", None)
    opened = []
    whole = PreparedSet.open
    monkeypatch.setattr(PreparedSet, "open", lambda path: opened.append(path) or whole(path))
    sets = {"caltech101": cfg["data"] | {"name": "caltech101"}}
    cfg = folder_config(name="source") | {"exclude_overlap": True}
    source = images.made(cfg, sets, OVERLAP)
    assert source.folder == place / "results" / "prepared" / "source"
    assert source.left_out["train"].tolist() == list(range(6))
    assert made not in opened  # the manifest tells that it is another one's


def test_a_second_command_waits_and_finds_them_made(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = folder_config()
    with files.exclusive(place / ".checkpoints" / "images-folder", "a test"):
        second = threading.Thread(target=images.made, args=(cfg, {}, OVERLAP))
        second.start()
        second.join(0.5)
        assert second.is_alive()
    second.join()
    assert f"held by pid {os.getpid()}" in capsys.readouterr().err
    assert images.find(cfg["data"]) is not None


def test_missing_images_say_what_to_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZFREPRO_FOLDER")
    with pytest.raises(OSError, match=r"data\.root is not set.*ZFREPRO_FOLDER"):
        images.made(folder_config(), {}, OVERLAP)
