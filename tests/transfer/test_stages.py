"""The stages `transfer` and `probe`: whole, killed in the middle, and without their images."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.project import Project, copy_project
from tests.transfer import target_sets
from zfrepro import config

CLASSES256 = ("001.ak47", "002.backpack", "003.bear", "004.bonsai", "257.clutter")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three small sets, and a network that has learned nothing."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    assert project.run("pipelines.resolve").returncode == 0
    results = project.root / "results"
    cfg = config.load(results / "configs" / "tab3_zfnet.yaml")
    prepared = target_sets.caltech(results / "prepared" / "caltech101")
    target_sets.caltech(results / "prepared" / "caltech256", classes=CLASSES256)
    target_sets.voc(results / "prepared" / "voc2012")
    network = target_sets.network(cfg, prepared.mean)
    target_sets.write_run(results / "runs" / "tab3_zfnet", cfg, network)
    return project


def folds(project: Project, folder: str) -> pd.DataFrame:
    return pd.read_csv(project.root / "results" / folder / "folds.csv")


def test_a_set_gives_folds_of_both_arms_and_finished_ones_are_found_again(project: Project) -> None:
    done = project.run("pipelines.transfer", "caltech101")
    assert done.returncode == 0, done.stderr
    found = folds(project, "transfer/caltech101")
    assert found["arm"].tolist() == ["pretrained"] * 4 + ["scratch"]
    assert found["images_a_class"].tolist() == [2, 2, 4, 4, 4]
    assert set(found["classes"]) == {5}  # the background counts as one
    splits = pd.read_parquet(project.root / "results/transfer/caltech101/splits.parquet")
    assert not splits.duplicated(["images_a_class", "fold", "image"]).any()
    pretrained = found[found["arm"] == "pretrained"]["accuracy"]
    assert pretrained.min() > 60  # the gratings are easy; chance is 20
    kept = list((project.root / ".checkpoints").rglob("*-4-0.json"))
    assert len(kept) == 2
    times = [path.stat().st_mtime_ns for path in kept]
    (path,) = (path for path in kept if path.name == "fc7-softmax-4-0.json")
    (path.parent / "fc7-softmax-2-1.json").unlink()  # killed in the middle of this fold
    assert project.run("pipelines.transfer", "caltech101").returncode == 0
    pd.testing.assert_frame_equal(folds(project, "transfer/caltech101"), found)
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_probes_and_voc_and_the_set_without_its_clutter(project: Project) -> None:
    for command in (["transfer", "caltech256"], ["transfer", "voc2012"], ["probe"]):
        done = project.run(f"pipelines.{command[0]}", *command[1:])
        assert done.returncode == 0, done.stderr
    assert set(folds(project, "transfer/caltech256")["classes"]) == {4}
    probes = folds(project, "probe")
    assert len(probes) == 2 * 8 * 2  # sets, classifiers on layers, folds
    files = project.root / "results" / "transfer" / "voc2012" / "submission" / "softmax"
    assert sorted(path.name for path in files.iterdir()) == [
        f"comp1_cls_val_{name}.txt" for name in target_sets.OBJECTS
    ]
    assert len((files / "comp1_cls_val_bird.txt").read_text().splitlines()) == 40


def test_a_set_that_is_not_there_says_what_makes_it(project: Project) -> None:
    folder = project.root / "results" / "prepared" / "voc2012"
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        done = project.run("pipelines.transfer", "voc2012")
        assert done.returncode == 1
        assert "dvc repro prepare@voc2012" in done.stderr
        assert "Traceback" not in done.stderr
        absent(folder)
        assert project.run("pipelines.transfer", "voc2012").returncode == 0
        assert folds(project, "transfer/voc2012").empty
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        hidden.rename(folder)


def absent(folder: Path) -> None:
    """As stage `prepare` leaves a set that the profile has not."""
    folder.mkdir()
    (folder / "absent").touch()
