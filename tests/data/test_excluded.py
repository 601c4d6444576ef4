"""What stage `overlap` writes, and how a training goes without the images that it lists."""

import json

import numpy as np
import pandas as pd
import pytest

from pipelines import prepare as prepare_stage
from zfrepro import config, images, networks, runs
from zfrepro.data import excluded
from zfrepro.data.prepare import prepare
from zfrepro.data.sources import open_source
from zfrepro.data.store import PreparedSet
from zfrepro.elements.overlap import stage

SETTINGS = ("image_size", "filter", "storage", "jpeg_quality")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """results/prepared of a small world with one transfer set."""
    root = tmp_path_factory.mktemp("results")
    data = {
        "source": {"name": "miniature", "classes": 4, "train_images": 40, "val_images": 8},
        "caltech101": {
            "name": "caltech101_miniature", "classes": 12, "images": 6, "planted": 5,
            "world": {"seed": 0, "classes": 4, "train_images": 40},
        },
    }  # fmt: skip
    shared = {"seed": 0, "image_size": 32, "workers": 1}
    shared |= {"filter": "bilinear", "storage": "uint8", "jpeg_quality": 90}
    for name, own in data.items():
        settings = own | shared | {"root": str(root / "raw" / name)}
        recipe = {key: settings[key] for key in SETTINGS}
        source = open_source(settings)
        folder = root / "prepared" / name
        prepare(source, folder, **recipe, workers=1, progress=False, config=settings)
    for name in ("caltech256", "voc2012"):
        (root / "prepared" / name).mkdir()
        (root / "prepared" / name / "absent").write_text("")
    return root


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    """The stage and the training at a `results` of their own."""
    (tmp_path / "prepared").symlink_to(prepared / "prepared")
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(stage, "RESULTS", tmp_path)
    monkeypatch.setattr(stage, "OUT", tmp_path / "overlap")
    monkeypatch.setattr(stage, "FIGURES", tmp_path / "figures" / "overlap")
    monkeypatch.setattr(networks, "PREPARED", tmp_path / "prepared" / "source")
    monkeypatch.setattr(runs, "EXCLUDED", tmp_path / "overlap" / "excluded.parquet")
    return tmp_path


@pytest.fixture
def cfg(results):
    manifest = json.loads((results / "prepared" / "source" / "manifest.json").read_text())
    composed = config.compose_experiment("tab3_zfnet", ["profile=smoke"])
    return composed | {"data": manifest["config"]}


def run():
    stage.run(config.compose_analysis()["overlap"])


def test_the_stage_finds_what_was_planted(results):
    run()
    pairs = pd.read_parquet(results / "overlap" / "pairs.parquet")
    truth = pd.read_parquet(results / "prepared/caltech101/annotations/planted.parquet")
    keys = ["path", "source_path"]
    assert set(pairs[keys].itertuples(index=False)) == set(truth[keys].itertuples(index=False))
    source = PreparedSet.open(results / "prepared" / "source").split("train")
    transfer = PreparedSet.open(results / "prepared" / "caltech101").split("all")
    for row in pairs.itertuples():
        assert source.paths[row.source_image] == row.source_path
        assert transfer.paths[row.image] == row.path
    assert set(pairs["class"]) == {"BACKGROUND_Google"}
    measures = json.loads((results / "figures/overlap/measures.json").read_text())
    assert measures["recall/caltech101"] == measures["precision/caltech101"] == 100
    assert measures["shared/caltech101"] == measures["planted/caltech101"] == 5
    assert (results / "figures" / "overlap" / "pairs.png").stat().st_size > 10_000


def test_a_second_run_writes_the_same_list(results):
    run()
    first = (results / "overlap" / "excluded.parquet").read_bytes()
    run()
    assert (results / "overlap" / "excluded.parquet").read_bytes() == first


def test_a_profile_without_transfer_sets_has_empty_lists(results, cfg):
    sets = results / "without"
    sets.mkdir()
    (sets / "source").symlink_to((results / "prepared" / "source").resolve())
    for name in config.TRANSFER_SETS:
        (sets / name).mkdir()
        (sets / name / "absent").write_text("")
    (results / "prepared").unlink()
    sets.rename(results / "prepared")
    run()
    assert len(pd.read_parquet(results / "overlap" / "pairs.parquet")) == 0
    assert "no transfer sets" in (results / "figures/overlap/report.md").read_text()
    unaware = runs.plan(cfg | {"exclude_overlap": False})
    assert runs.plan(cfg).fingerprint == unaware.fingerprint


def test_training_goes_without_the_shared_images(results, cfg):
    run()
    shared = pd.read_parquet(results / "overlap" / "pairs.parquet")["source_path"]
    planned = runs.plan(cfg)
    paths = planned.prepared.split("train").paths
    assert len(paths) == 40 - shared.nunique() == 35
    assert not set(paths) & set(shared)
    assert len(planned.prepared.split("val")) == 8
    assert len(runs.plan(cfg | {"exclude_overlap": False}).prepared.split("train")) == 40


def test_the_list_decides_the_fingerprint_and_the_key_does_not(results, cfg):
    digest = PreparedSet.open(results / "prepared" / "source").manifest["digest"]
    marks = []
    for chosen in ([], [3], [3, 4], [4, 3]):
        paths = [f"{i}" for i in chosen]
        excluded.write(results / "overlap" / "excluded.parquet", np.array(chosen), paths, digest)
        marks.append(runs.plan(cfg).fingerprint)
    assert len(set(marks[:3])) == 3
    assert marks[3] == marks[2]
    assert marks[0] == runs.plan(cfg | {"exclude_overlap": False}).fingerprint


def test_without_a_list_or_with_a_foreign_one_nothing_is_trained(results, cfg):
    with pytest.raises(OSError, match=r"excluded\.parquet.* is not there: `dvc repro overlap`"):
        runs.plan(cfg)
    excluded.write(results / "overlap" / "excluded.parquet", np.array([1]), ["a"], "another")
    with pytest.raises(OSError, match=r"of another prepared set .*exclude_overlap=false"):
        runs.plan(cfg)


def test_the_command_leaves_out_the_same_images_without_the_stage(results, cfg, monkeypatch):
    """Another copy of the images, since those in results/ have no list beside them."""
    asked = []

    def made(name, data, _):
        asked.append(name)
        return results / "prepared" / data["name"]

    monkeypatch.setattr(prepare_stage, "made", made)
    sets, rule = {"caltech101": {"name": "caltech101"}}, config.compose_analysis()["overlap"]
    by_command = runs.plan(cfg, lambda c: images.made(c | {"data": {"name": "source"}}, sets, rule))
    assert asked == ["source", "caltech101"]
    assert not (results / "overlap").exists()
    run()
    assert runs.plan(cfg).prepared.left_out["train"].tolist() == (
        by_command.prepared.left_out["train"].tolist()
    )
    assert len(by_command.prepared.split("train")) == 35


def test_a_run_says_how_many_images_it_went_without(results, cfg):
    run()
    planned = runs.plan(cfg)
    fitted = type("Fitted", (), {
        "net": type("Net", (), {"parameters": lambda _: iter(())})(),
        "history": [], "precision": "32-true", "processes": 1, "threads": 1, "machine": "cpu",
    })()  # fmt: skip
    assert runs._recipe(planned, fitted, 0.0)["left_out"] == {"train": 5}


def test_the_precision_that_is_chosen_decides_the_fingerprint(results, cfg):
    def mark(precision):
        training = {**cfg["training"], "precision": precision}
        return runs.plan({**cfg, "training": training, "exclude_overlap": False}).fingerprint

    assert mark("auto") == mark("32-true") != mark("bf16-mixed")
