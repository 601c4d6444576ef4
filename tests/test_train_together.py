"""Stages that make other experiments' runs beside their own."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.project import Project
from zfrepro.cores import cores

pytestmark = pytest.mark.slow

OWN, OTHER = "tab3_no_fc7", "tab3_zfnet"
STAGE = ("pipelines.train", OWN)


@pytest.fixture
def pair(project: Project) -> Iterator[Project]:
    """A project of two experiments, whose stages fill the cores."""
    figures = [project.root / "conf" / "analysis.yaml", *project.root.glob("conf/analysis/*.yaml")]
    changed = {path: path.read_text() for path in (*experiments(project), *figures)}
    for path, text in changed.items():
        if path in figures:
            path.write_text(re.sub(r"\b(tab|fig)\d_\w+", OTHER, text))
        elif path.stem not in (OWN, OTHER):
            path.unlink()
    resolved = {name: configuration(project, name).read_text() for name in (OWN, OTHER)}
    for name in resolved:
        rewrite(project, name, "together: all", "together: cores")
    yield project
    for path, text in changed.items():
        path.write_text(text)
    for name, text in resolved.items():
        configuration(project, name).write_text(text)


def experiments(project: Project) -> list[Path]:
    return sorted((project.root / "conf" / "experiment").glob("*.yaml"))


def configuration(project: Project, name: str) -> Path:
    return project.root / "results" / "configs" / f"{name}.yaml"


def rewrite(project: Project, name: str, old: str, new: str) -> None:
    text = configuration(project, name).read_text()
    assert old in text
    configuration(project, name).write_text(text.replace(old, new))


def trained(project: Project) -> dict[str, dict[str, torch.Tensor]]:
    """Weights by experiment."""
    found = {}
    for run in (project.root / ".checkpoints").glob("*/run"):
        name = re.search(r"^name: (\w+)$", (run / "config.yaml").read_text(), re.MULTILINE)
        assert name
        found[name[1]] = torch.load(run / "weights.pt", weights_only=True)["state_dict"]
    return found


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_a_row_for_each_gpu_is_the_same_as_alone(
    pair: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The costliest begins first; GPUs that are not there leave the trainings to the CPU."""
    for name in (OWN, OTHER):
        rewrite(pair, name, "together: cores", "together: gpus")
        rewrite(pair, name, "accelerator: cpu", "accelerator: auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    both = pair.run(*STAGE)
    assert both.returncode == 0, both.stderr
    assert f"{OWN}, and beside it {OTHER}" in both.stderr
    found = trained(pair)
    pair.forget()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    alone = pair.run("zfrepro.train", f"+experiment={OTHER}")
    assert alone.returncode == 0, alone.stderr
    expected = trained(pair)[OTHER]
    assert all(torch.equal(found[OTHER][key], expected[key]) for key in expected)


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_the_next_training_is_made_beside_and_is_the_same_as_alone(pair: Project) -> None:
    alone = pair.run("zfrepro.train", f"+experiment={OTHER}")
    assert alone.returncode == 0, alone.stderr
    expected = trained(pair)[OTHER]
    pair.forget()
    both = pair.run(*STAGE)
    assert both.returncode == 0, both.stderr
    assert f"{OWN}, and beside it {OTHER}" in both.stderr
    assert all(f"{name}, epoch 1/" in both.stderr for name in (OWN, OTHER))
    found = trained(pair)
    assert found.keys() == {OWN, OTHER}
    assert all(torch.equal(found[OTHER][key], expected[key]) for key in expected)
    assert [path.name for path in (pair.root / "results" / "runs").iterdir()] == [OWN]
    later = pair.run("pipelines.train", OTHER)
    assert later.returncode == 0, later.stderr
    assert "already trained" in later.stderr
    assert "epoch 1/" not in later.stderr


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_what_goes_wrong_with_another_is_told_and_harms_nothing(pair: Project) -> None:
    rewrite(pair, OTHER, "lr: 0.01", "lr: 1.0e+30")
    done = pair.run(*STAGE)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"{OTHER}: the loss is NaN .*its own stage will try again", done.stderr)
    assert trained(pair).keys() == {OWN}
    failed = pair.run("pipelines.train", OTHER)
    assert failed.returncode == 1
    assert "error: the loss is NaN" in failed.stderr


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_a_stopped_stage_stops_them_all(pair: Project) -> None:
    for name in (OWN, OTHER):
        rewrite(pair, name, "epochs: 3", "epochs: 100000")
    process = pair.start(*STAGE)
    assert process.stderr is not None
    waiting = {OWN, OTHER}
    for line in process.stderr:
        waiting = {name for name in waiting if f"{name}, epoch 1/" not in line}
        if not waiting:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate()  # waits for all that hold its output, so for the workers too
    assert process.returncode == 128 + signal.SIGTERM
    assert not trained(pair)
    assert len({path.parent for path in (pair.root / ".checkpoints").glob("*/*.ckpt")}) == 2


def test_another_word_is_refused_with_those_that_exist(pair: Project) -> None:
    rewrite(pair, OWN, "together: cores", "together: some")
    done = pair.run(*STAGE)
    assert done.returncode == 1
    assert "trainer.together is 'some'; it can be none, cores, all" in done.stderr
