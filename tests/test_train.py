"""Trainings as a user starts, stops and kills them."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.project import EPOCHS, Process, Project
from zfrepro import config, networks
from zfrepro.runs import plan

COMMAND = ("zfrepro.train", "+experiment=tab3_zfnet")
STAGE = ("pipelines.train", "tab3_zfnet")
Weights = dict[str, torch.Tensor]


def runs(project: Project) -> list[Path]:
    return sorted((project.root / ".checkpoints").glob("*/run"))


def weights(folder: Path) -> Weights:
    return torch.load(folder / "weights.pt", weights_only=True)["state_dict"]


def snapshots(run: Path) -> list[Path]:
    return sorted((run / "snapshots").iterdir())


def assert_same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def epochs_seen(process: Process) -> Iterator[int]:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"epoch (\d+)/", line):
            yield int(found[1])


def kill_after(project: Project, epoch: int, delay: float, number: int, *overrides: str) -> int:
    """Starts the training and sends signal `number` `delay` seconds after `epoch` epochs."""
    process = project.start(*COMMAND, *overrides)
    next(e for e in epochs_seen(process) if e == epoch)
    time.sleep(delay)
    process.send_signal(number)
    process.communicate()
    return process.returncode


@pytest.fixture(scope="module")
def undisturbed(prepared_project: Project) -> Weights:
    prepared_project.forget()
    done = prepared_project.run(*COMMAND)
    assert done.returncode == 0, done.stderr
    (run,) = runs(prepared_project)
    return weights(run)


def test_the_command_trains_and_the_stage_takes_it_up(project: Project) -> None:
    first = project.run(*COMMAND)
    assert first.returncode == 0, first.stderr
    assert re.search(r"val/top1 +error +[\d.]+ %   \(paper, on ImageNet: 38\.4\)", first.stderr)
    (run,) = runs(project)
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "epochs.csv", "metrics.json", "run.json", "SHA256SUMS", "snapshots",
        "weights.pt",
    }  # fmt: skip
    assert [path.name for path in snapshots(run)] == ["epoch-00001.pt", "epoch-00002.pt"]
    assert len(pd.read_csv(run / "epochs.csv")) == EPOCHS
    second = project.run(*STAGE)
    assert second.returncode == 0, second.stderr
    assert "already trained" in second.stderr
    assert "epoch 1/" not in second.stderr
    output = project.root / "results" / "runs" / "tab3_zfnet"
    assert_same(weights(output), weights(run))


def test_a_published_network_is_not_trained() -> None:
    cfg = config.compose_experiment("tab3_zfnet", ["model=torchvision_alexnet"])
    with pytest.raises(config.ConfigError, match=r"zfrepro\.evaluate model=torchvision_alexnet`"):
        plan(cfg)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epoch", "delay"), [(1, 0.0), (1, 0.15), (2, 0.01), (2, 0.3), (EPOCHS, 0.0)]
)
def test_a_killed_training_ends_with_the_same_weights(
    project: Project, undisturbed: Weights, epoch: int, delay: float
) -> None:
    assert kill_after(project, epoch, delay, signal.SIGKILL) in (-signal.SIGKILL, 0)
    resumed = project.run(*COMMAND)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 1/" not in resumed.stderr
    (run,) = runs(project)
    assert_same(weights(run), undisturbed)
    assert pd.read_csv(run / "epochs.csv")["epoch"].tolist() == list(range(1, EPOCHS + 1))
    kept = [torch.load(path, weights_only=True) for path in snapshots(run)]
    assert len(kept) == 2
    assert not torch.equal(kept[0]["conv1.weight"], kept[1]["conv1.weight"])


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_harms_nothing(
    project: Project, undisturbed: Weights
) -> None:
    """The half-written file has a temporary name, which nobody reads."""
    program = (
        "import os, signal, torch\n"
        "from pytorch_lightning.strategies import SingleDeviceStrategy\n"
        "saved = []\n"
        "def save(self, state, path, storage_options=None):\n"
        "    torch.save(state, path)\n"
        "    saved.append(path)\n"
        "    if len(saved) == 2:\n"
        "        with open(path, 'r+b') as file: file.truncate(1000)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "SingleDeviceStrategy.save_checkpoint = save\n"
        "import sys; sys.argv = ['train', '+experiment=tab3_zfnet']\n"
        "from zfrepro.train import main; main()\n"
    )
    (project.root / "killed.py").write_text(program)
    killed = project.run("killed")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = project.run(*COMMAND)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 1/" not in resumed.stderr
    (run,) = runs(project)
    assert_same(weights(run), undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_training_fails_and_leaves_no_result(
    project: Project, number: int, code: int
) -> None:
    assert kill_after(project, 1, 0.05, number, "training.epochs=100000") == code
    assert not runs(project)
    assert not (project.root / "results" / "runs").exists()


def test_the_second_start_says_who_trains(project: Project) -> None:
    endless = (*COMMAND, "training.epochs=100000")
    first = project.start(*endless)
    next(epochs_seen(first))
    second = project.run(*endless)
    first.terminate()
    first.communicate()
    assert first.returncode == 128 + signal.SIGTERM
    assert second.returncode == 1
    assert re.search(rf"error: training of tab3_zfnet.*held by pid {first.pid}", second.stderr)


def test_another_configuration_is_another_run(project: Project) -> None:
    for override in ("training.lr=0.02", "training.lr=0.03", "trainer.workers=1"):
        done = project.run(*COMMAND, "training.epochs=1", override)
        assert done.returncode == 0, done.stderr
    assert len(runs(project)) == 3
    again = project.run(*COMMAND, "training.epochs=1")  # the same as with other loading processes
    assert "already trained" in again.stderr


def test_the_stage_refuses_images_of_another_profile(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = project.root / "results"
    monkeypatch.setattr(networks, "PREPARED", results / "prepared" / "source")
    cfg = config.load(results / "configs" / "tab3_zfnet.yaml")
    cfg["data"]["image_size"] = 128
    with pytest.raises(config.ConfigError, match=r"image_size = 64.*128.*dvc repro prepare"):
        plan(cfg)


@pytest.mark.slow
def test_two_processes_reach_the_weights_of_one(project: Project) -> None:
    fp32 = ("training.precision=32-true", "training.epochs=2")
    alone = project.run(*COMMAND, *fp32)
    assert alone.returncode == 0, alone.stderr
    (run,) = runs(project)
    expected = weights(run)
    curve = pd.read_csv(run / "epochs.csv")
    project.forget()
    together = project.run(*COMMAND, *fp32, "trainer=ddp_cpu")
    assert together.returncode == 0, together.stderr
    (run,) = runs(project)
    found = weights(run)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    columns = ["train/loss", "train/top1", "val/loss", "val/top1", "val/top5"]
    pd.testing.assert_frame_equal(
        pd.read_csv(run / "epochs.csv")[columns], curve[columns], rtol=1e-3
    )
