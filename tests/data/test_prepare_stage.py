"""Stage `prepare`: from a resolved configuration to results/prepared/."""

import json
import shutil
import subprocess
import sys

import pytest
from pictures import small_tree, write_tree

from pipelines import prepare as stage
from zfrepro import config, files
from zfrepro.data.sources import SourceError
from zfrepro.data.store import PreparedSet


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project root of its own."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / ".checkpoints")
    return tmp_path


def data(root, **changes):
    settings = {
        "name": "folder", "root": str(root), "val_share": 0.1, "split_seed": 0, "image_size": 32,
        "filter": "bilinear", "storage": "uint8", "jpeg_quality": 90, "max_bad_share": 0.001,
    }  # fmt: skip
    return {**settings, **changes}


def test_the_result_is_linked_and_found_again(project):
    small_tree(project / "photos")
    stage.run("source", data("photos"))  # relative to the project's root
    out = project / "results" / "prepared" / "source"
    prepared = PreparedSet.open(out)
    assert len(prepared.split("train")) == 6
    assert prepared.manifest["config"]["root"] == "photos"
    (work,) = (project / ".checkpoints").iterdir()
    assert work.name == prepared.manifest["fingerprint"]
    assert (work / "train.npy").samefile(out / "train.npy")
    times = {
        path: path.stat().st_mtime_ns for path in work.iterdir() if path.name != files.LOCK_NAME
    }
    stage.run("source", data("photos"))
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_what_decides_the_pixels_names_the_work(project):
    small_tree(project / "photos")
    marks = set()
    for changes in ({}, {"max_bad_share": 0.5}, {"image_size": 24}, {"storage": "jpeg"}):
        stage.run("source", data("photos", **changes))
        manifest = project / "results/prepared/source/manifest.json"
        marks.add(json.loads(manifest.read_text())["fingerprint"])
    assert len(marks) == 3  # what may be skipped decides no pixel


def test_a_second_start_is_told_who_prepares(project):
    small_tree(project / "photos")
    stage.run("source", data("photos"))
    (work,) = (project / ".checkpoints").iterdir()
    with files.exclusive(work, "a test"), pytest.raises(files.LockedError, match="held by pid"):
        stage.run("source", data("photos"))


def test_a_missing_root_ends_the_command_with_a_message(tmp_path):
    """In a process of its own, as `dvc repro` starts it."""
    code = f"""
import sys
from pathlib import Path
from pipelines import prepare
from zfrepro import config
config.CONFIGS = Path({str(tmp_path)!r})
sys.argv = ["prepare", "source"]
prepare.main()
"""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "source.yaml").write_text(config.to_yaml(data(tmp_path / "none")))
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=config.ROOT, check=False)
    assert ended.returncode == 1
    assert "data.root" in ended.stderr
    assert "ZFREPRO_FOLDER" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_environment_says_where_the_images_are_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("ZFREPRO_FOLDER", raising=False)
    assert stage.root_of({"name": "folder", "root": None}) is None
    assert stage.root_of({"name": "folder", "root": "data/photos"}) == config.ROOT / "data/photos"
    monkeypatch.setenv("ZFREPRO_FOLDER", str(tmp_path))
    assert stage.root_of({"name": "folder", "root": "data/photos"}) == tmp_path


@pytest.mark.parametrize("name", ["voc2012", "caltech101", "imagenette", "fashion_mnist"])
def test_a_root_with_a_typing_error_is_not_made(project, monkeypatch, name):
    """Two gigabytes would be fetched to it."""
    settings = data(project / "typo", name=name, download=True, size="full")
    monkeypatch.setattr(config, "ROOT", project / "checkout")
    with pytest.raises(SourceError, match=f"its root is {project}/typo, and there is no such"):
        stage.run("source", settings)
    monkeypatch.setenv(f"ZFREPRO_{name.upper()}", str(project / "checkout" / "tpyo"))
    with pytest.raises(
        SourceError, match=f"ZFREPRO_{name.upper()} is .*tpyo, and there is no such"
    ):
        stage.run("source", settings)
    assert not list(project.iterdir())


def test_what_was_understood_is_printed(project, capsys):
    tree = small_tree(project / "photos", train=4)
    files = {"train/cat/.DS_Store": b"", "train/dog/notes.txt": b"", "train/dog/0003.jpg": b""}
    write_tree(tree, files)
    shutil.copy(tree / "train/cat/0000.jpg", tree / "val/cat/0001.jpg")
    shutil.copy(tree / "train/cat/0001.jpg", tree / "train/dog/0002.jpg")
    stage.run("source", data("photos", max_bad_share=0.5))
    assert capsys.readouterr().out.splitlines() == [
        "folder: 2 classes (cat, dog)",
        "  train: 7 images, 3 to 4 of each class; without pixels: 1; copies among them: 1",
        "  val: 4 images, 2 of each class",
        "  left out: 1 hidden, 1 .txt",
        "  in two classes of train: 1 of the same content "
        "(train/cat/0001.jpg = train/dog/0002.jpg)",
        "  in train and val: 1 of the same content (train/cat/0000.jpg = val/cat/0001.jpg)",
    ]
