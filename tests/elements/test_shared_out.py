"""A figure whose images several processes share, one of which is killed."""

import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.project import Project, copy_project
from zfrepro import config, files
from zfrepro.data.store import PreparedSet
from zfrepro.models.convnet import build
from zfrepro.training import trained
from zfrepro.training.trained import Trained

pytestmark = pytest.mark.slow

NAME = "tab3_zfnet"
STAGE = ("pipelines.element", "features")
PART = 4  # images
SLOWED = {
    "PART = 4096": f"PART = {PART}",
    "    pieces = (numbers": "    time.sleep(0.1)\n    pieces = (numbers",
}


@pytest.fixture
def study(prepared_project: Project, tmp_path: Path) -> Project:
    """Prepared images and a random network for GPUs that are not there; parts take their time."""
    project = copy_project(tmp_path)
    results = tmp_path / "results"
    for name in ("configs", "prepared"):
        shutil.copytree(prepared_project.root / "results" / name, results / name)
    source = tmp_path / "zfrepro" / "interp" / "top_activations.py"
    for old, new in SLOWED.items():
        assert old in source.read_text()
        source.write_text(source.read_text().replace(old, new))
    made = config.load(results / "configs" / f"{NAME}.yaml")
    made["trainer"] |= {"accelerator": "auto", "together": "gpus"}
    images = PreparedSet.open(results / "prepared" / "source")
    net = build(**made["model"], classes=len(images.classes), crop=made["crop"], seed=0)
    run = results / "runs" / NAME
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config.to_yaml(made))
    files.write_json(run / "run.json", {"fingerprint": NAME, "seed": 0})
    mean = torch.from_numpy(images.mean)
    of_net = Trained(net, mean, images.image_size, made["crop"], [*images.classes], "bilinear")
    trained.save(of_net, run / "weights.pt")
    return project


def workers(pid: int) -> list[int]:
    """The worker processes of a command, by /proc."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def tables(project: Project) -> dict[Path, pd.DataFrame]:
    results = project.root / "results"
    found = {path: pd.read_csv(path) for path in results.glob("figures/figure2/*.csv")}
    return found | {path: pd.read_parquet(path) for path in results.glob("features/*.parquet")}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_a_killed_worker_ends_the_stage_which_goes_on_when_started_again(study: Project) -> None:
    alone = study.run(*STAGE)
    assert alone.returncode == 0, alone.stderr
    expected = tables(study)
    assert len(expected) == 3
    kept = study.root / ".checkpoints" / NAME
    parts = {path.relative_to(kept) for path in kept.glob("*/*.parquet.gz")}
    assert len(parts) == 2 * 40 / PART
    shutil.rmtree(kept)
    process = study.process(*STAGE, CUDA_VISIBLE_DEVICES="0,1")
    while len(done := {*kept.glob("*/*.parquet.gz")}) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    victim, other = workers(process.pid)
    os.kill(victim, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: a worker process was killed" in said
    assert not Path(f"/proc/{other}").exists()
    assert len({*kept.glob("*/*.parquet.gz")}) < len(parts)
    written = {path: path.stat().st_mtime_ns for path in done}
    again = study.run(*STAGE, CUDA_VISIBLE_DEVICES="0,1")
    assert again.returncode == 0, again.stderr
    assert {path.relative_to(kept) for path in kept.glob("*/*.parquet.gz")} == parts
    assert {path: path.stat().st_mtime_ns for path in done} == written
    for path, table in tables(study).items():
        pd.testing.assert_frame_equal(table, expected[path], check_exact=True)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_networks_are_evaluated_side_by_side_as_alone_after_a_kill_too(study: Project) -> None:
    runs = study.root / "results" / "runs"
    files.write_json(runs / NAME / "run.json", {"fingerprint": NAME, "seed": 0, "parameters": 1})
    files.write_json(runs / NAME / "metrics.json", {"epochs": 1})
    others = ["tab2_zfnet_seed1", "tab2_zfnet_seed2"]
    for name in others:
        shutil.copytree(runs / NAME, runs / name)
        files.write_json(
            runs / name / "run.json", {"fingerprint": name, "seed": 0, "parameters": 1}
        )
        configs = study.root / "results" / "configs"
        shutil.copy(runs / NAME / "config.yaml", configs / f"{name}.yaml")
        shutil.copy(runs / NAME / "config.yaml", configs / f"{NAME}.yaml")
    stage = ("pipelines.evaluate", NAME, *others)
    alone = study.run(*stage)
    assert alone.returncode == 0, alone.stderr
    table = study.root / "results" / "tables" / "errors.csv"
    expected = table.read_bytes()
    table.unlink()
    for name in (NAME, *others):
        shutil.rmtree(study.root / ".checkpoints" / name)
    process = study.process(*stage, CUDA_VISIBLE_DEVICES="0,1")
    while len(found := workers(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(found[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: a worker process was killed" in said
    assert not table.exists()
    again = study.run(*stage, CUDA_VISIBLE_DEVICES="0,1")
    assert again.returncode == 0, again.stderr
    assert table.read_bytes() == expected
