"""The stages `transfer` and `probe`: whole, killed in the middle, and without their images."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from pipelines import transfer as command
from tests.transfer import target_sets
from zfrepro import config, files, processes
from zfrepro.data.store import ABSENT
from zfrepro.elements.transfer import folds as shared
from zfrepro.elements.transfer import probe
from zfrepro.elements.transfer import stage as transfer

CLASSES256 = ("001.ak47", "002.backpack", "003.bear", "004.bonsai", "257.clutter")


SETTINGS = config.compose_transfer(["transfer=smoke"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small sets, and a network that has learned nothing."""
    results = tmp_path_factory.mktemp("project") / "results"
    cfg = config.compose_experiment("tab3_zfnet", ["profile=smoke", "model.width=0.125"])
    prepared = target_sets.caltech(results / "prepared" / "caltech101")
    target_sets.caltech(results / "prepared" / "caltech256", classes=CLASSES256)
    target_sets.voc(results / "prepared" / "voc2012")
    network = target_sets.network(cfg, prepared.mean)
    target_sets.write_run(results / "runs" / "tab3_zfnet", cfg, network)
    return results


@pytest.fixture
def results(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stages at a `results` of their own."""
    monkeypatch.setattr(config, "CHECKPOINTS", made.parent / ".checkpoints")
    for stage in (shared, transfer, probe):
        monkeypatch.setattr(stage, "RESULTS", made)
    monkeypatch.setattr(transfer, "OUT", made / "transfer")
    return made


def folds(results: Path, folder: str) -> pd.DataFrame:
    return pd.read_csv(results / folder / "folds.csv")


def test_a_set_gives_folds_of_both_arms_and_finished_ones_are_found_again(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "cores", lambda: 2)
    mine = {**SETTINGS["caltech101"], "scratch": {"images_per_class": [4], "folds": 2}}
    settings = {**SETTINGS, "caltech101": mine}
    transfer.run(settings, "caltech101")
    found = folds(results, "transfer/caltech101")
    arms = ["pretrained"] * 4 + ["untrained"] * 2 + ["scratch"] * 2
    assert found["arm"].tolist() == arms
    assert found["images_per_class"].tolist() == [2, 2, 4, 4, 4, 4, 4, 4]
    assert set(found["classes"]) == {5}  # the background counts as one
    splits = pd.read_parquet(results / "transfer/caltech101/splits.parquet")
    assert not splits.duplicated(["images_per_class", "fold", "image"]).any()
    pretrained = found[found["arm"] == "pretrained"]["accuracy"]
    assert pretrained.min() > 60  # the gratings are easy; chance is 20
    kept = list(config.CHECKPOINTS.rglob("*-4-0.json.gz"))
    assert len(kept) == 3
    times = [path.stat().st_mtime_ns for path in kept]
    (path,) = (
        path for path in kept
        if path.name == "fc7-softmax-4-0.json.gz" and "untrained" not in str(path)
    )  # fmt: skip
    (path.parent / "fc7-softmax-2-1.json.gz").unlink()  # killed in the middle of this fold
    (scratch,) = config.CHECKPOINTS.rglob("scratch-4-1.json.gz")
    scratch.unlink()  # the one that is left is trained in this process
    transfer.run(settings, "caltech101")
    pd.testing.assert_frame_equal(folds(results, "transfer/caltech101"), found)
    assert [path.stat().st_mtime_ns for path in kept] == times


# stage `transfer` on the results and checkpoints that are named, with two workers
PROGRAM = """
import json, sys
from pathlib import Path
from zfrepro import config
from zfrepro.elements.transfer import folds, stage as transfer
results, config.CHECKPOINTS = map(Path, sys.argv[1:3])
folds.RESULTS = transfer.RESULTS = results
transfer.OUT, transfer.cores = config.CHECKPOINTS / "out", lambda: 2
transfer.run(json.loads(sys.argv[3]), "caltech101")
"""


@pytest.mark.slow
def test_a_kill_while_folds_are_trained_side_by_side_leaves_no_worker_and_loses_nothing(
    made: Path, tmp_path: Path
) -> None:
    mine = {**SETTINGS["caltech101"], "scratch": {"images_per_class": [4], "folds": 2}}
    scratch = {**SETTINGS["scratch"], "epochs": 4, "steps": 30}
    settings = json.dumps({**SETTINGS, "caltech101": mine, "scratch": scratch})

    def start(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, made, tmp_path / name, settings], cwd=config.ROOT
        )

    undisturbed = start("undisturbed")
    assert undisturbed.wait() == 0
    killed = start("killed")
    while len({path.parent for path in (tmp_path / "killed").glob("*/scratch-*/*.ckpt")}) < 2:
        assert killed.poll() is None
        time.sleep(0.01)
    workers = psutil.Process(killed.pid).children(recursive=True)
    assert len(workers) >= 2
    killed.kill()
    killed.wait()
    assert not psutil.wait_procs(workers, timeout=20)[1]
    assert not list((tmp_path / "killed").glob("*/scratch-*.json.gz"))
    assert start("killed").wait() == 0
    names = ("killed", "undisturbed")
    found, expected = (tmp_path / name / "out/caltech101/folds.csv" for name in names)
    assert found.read_text() == expected.read_text()


@pytest.mark.parametrize(("train", "test"), [("train", "val"), ("val", "train")])
def test_voc_trains_on_one_split_and_writes_the_devkits_files_of_the_other(
    results: Path, train: str, test: str
) -> None:
    mine = {**SETTINGS["voc2012"], "train": [train], "test": [test]}
    transfer.run({**SETTINGS, "voc2012": mine}, "voc2012")
    out = results / "transfer" / "voc2012"
    written = out / "submission" / "softmax"
    for name in target_sets.OBJECTS:
        lines = (written / f"comp1_cls_{test}_{name}.txt").read_text().splitlines()
        assert len(lines) == 40
    scores = pd.read_parquet(out / "scores.parquet")
    truth = pd.read_parquet(results / "prepared" / "voc2012" / "objects.parquet")
    truth = truth[truth["split"] == test]
    assert scores["path"].tolist() == truth["path"].tolist()
    shown = scores["logistic/bird"][(truth["bird"] == 1).to_numpy()].mean()
    assert shown > scores["logistic/bird"][(truth["bird"] == -1).to_numpy()].mean()


def test_a_split_is_not_trained_on_and_tested(results: Path) -> None:
    mine = {**SETTINGS["voc2012"], "train": ["train", "val"], "test": ["val"]}
    with pytest.raises(ValueError, match=r"voc2012.*share val"):
        transfer.run({**SETTINGS, "voc2012": mine}, "voc2012")


def test_probes_and_the_set_without_its_clutter(results: Path) -> None:
    transfer.run(SETTINGS, "caltech256")
    assert set(folds(results, "transfer/caltech256")["classes"]) == {4}
    probe.run(SETTINGS)
    probes = folds(results, "probe")
    # sets, classifiers on layers (and the SVMs before the training), folds
    assert len(probes) == 2 * (8 + 6) * 2


def test_probes_take_a_worker_for_each_gpu(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.run(SETTINGS)
    expected = folds(results, "probe")
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    run = results / "runs" / "tab3_zfnet" / "config.yaml"
    before = run.read_text()
    made = config.load(run)
    made["trainer"] |= {"accelerator": "auto", "together": "gpus"}
    run.write_text(config.to_yaml(made))
    shared: list[tuple[int, list[str]]] = []

    @contextmanager
    def shared_map(workers: int, gpus: list[str]) -> Iterator[Any]:
        shared.append((workers, gpus))
        yield map

    monkeypatch.setattr(probe, "shared_map", shared_map)
    probe.run(SETTINGS)
    probe.run(SETTINGS)  # all of it is there
    run.write_text(before)
    assert shared == [(3, ["0", "1", "2"]), (0, ["0", "1", "2"])]
    pd.testing.assert_frame_equal(folds(results, "probe"), expected)


def test_a_set_that_is_not_there_says_what_makes_it(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "RESULTS", tmp_path)
    monkeypatch.setattr(transfer, "OUT", tmp_path / "transfer")
    (tmp_path / "runs").symlink_to(results / "runs")
    with pytest.raises(FileNotFoundError, match="dvc repro prepare@voc2012"):
        transfer.run(SETTINGS, "voc2012")
    files.atomic_write(tmp_path / "prepared" / "voc2012" / ABSENT, "")
    transfer.run(SETTINGS, "voc2012")
    assert folds(tmp_path, "transfer/voc2012").empty


def test_the_command_ends_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["transfer", "voc2012"])
    monkeypatch.setattr(config, "CONFIGS", tmp_path)
    for name in ("exit_on_signals", "die_with_parent"):  # not of this process
        monkeypatch.setattr(processes, name, lambda: None)
    with pytest.raises(SystemExit, match=r"^error: .*transfer\.yaml"):
        command.main()
