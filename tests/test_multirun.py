"""Several trainings by one command: one after the other, or as jobs of a launcher."""

import json
import signal
import subprocess
import sys

import hydra
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from tests.project import Project
from zfrepro import config
from zfrepro.command import _one_of_several

pytestmark = pytest.mark.slow

MULTIRUN = ("zfrepro.train", "--multirun")
LOCAL = "hydra/launcher=submitit_local"


def recipes(project: Project) -> dict[str, dict[str, object]]:
    """What each finished run says of itself."""
    found = [
        json.loads(path.read_text())
        for path in (project.root / ".checkpoints").glob("*/run/run.json")
    ]
    return {recipe["experiment"]: recipe for recipe in found}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_the_stage_takes_up_what_jobs_of_a_launcher_trained(project: Project) -> None:
    before = set(project.root.iterdir())
    rows = {"tab3_alexnet", "tab3_no_fc67"}
    done = project.run(*MULTIRUN, f"+experiment={','.join(rows)}", LOCAL)
    assert done.returncode == 0, done.stderr
    made = recipes(project)
    assert set(made) == rows
    assert set(project.root.iterdir()) - before == {project.root / ".checkpoints"}
    for row in rows:
        stage = project.run("pipelines.train", row)
        assert stage.returncode == 0, stage.stderr
        assert f"{row}: already trained" in stage.stderr
    assert recipes(project) == made


def test_a_failing_job_does_not_take_the_others_along(project: Project) -> None:
    done = project.run(
        *MULTIRUN, "+experiment=tab3_zfnet", "training.epochs=1", "trainer.progress=wrong,lines"
    )
    assert done.returncode == 1
    assert "error: " in last_line(done)
    assert "trainer.progress=wrong: trainer.progress is 'wrong'" in last_line(done)
    assert set(recipes(project)) == {"tab3_zfnet"}


def test_a_failing_job_of_a_launcher_says_why(project: Project) -> None:
    done = project.run(*MULTIRUN, "+experiment=tab3_zfnet", "trainer.progress=wrong", LOCAL)
    assert done.returncode == 1
    assert "error: " in last_line(done)
    assert "trainer.progress is 'wrong'" in last_line(done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["+experiment=glob(nothing*)"], "matches nothing: choose from fig6_alexnet_kernel7"),
        (["+experiment=tab3_zfnet", "trainer=ddp_cpu"], "a launcher that starts a process for"),
        (["+experiment=tab3_zfnet", "hydra/launcher=submitit_slurm"], "srun"),
    ],
)
def test_what_cannot_be_launched_is_one_message(
    project: Project, arguments: list[str], message: str
) -> None:
    done = project.run(*MULTIRUN, *arguments)
    assert done.returncode == 1
    assert message in last_line(done)
    assert not recipes(project)


@pytest.mark.parametrize("launcher", ["submitit_local", "slurm"])
def test_a_launcher_that_is_not_installed_is_named(
    launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Plugins.instance()  # whose launchers come into the store once, and are then taken out again
    store = ConfigStore.instance().repo["hydra"]["launcher"]
    for name in ("submitit_local", "submitit_slurm"):
        monkeypatch.delitem(store, f"{name}.yaml", raising=False)
    with pytest.raises(config.ConfigError, match=r"submitit: pip install 'zfrepro\[slurm\]'"):
        config.compose(["+experiment=tab3_zfnet", f"hydra/launcher={launcher}"])


def test_each_gpu_of_a_slurm_job_gets_a_task() -> None:
    with hydra.initialize_config_dir(str(config.CONF), version_base="1.3"):
        overrides = ["+experiment=tab3_zfnet", "trainer=slurm", "trainer.nodes=2"]
        found = hydra.compose(
            "config",
            overrides=config.with_profile([*overrides, "hydra/launcher=slurm"]),
            return_hydra_config=True,
        )
    launcher, trainer = found.hydra.launcher, found.trainer
    assert (launcher.nodes, trainer.nodes) == (2, 2)
    assert launcher.tasks_per_node == launcher.gpus_per_node == trainer.devices
    assert launcher.cpus_per_task == trainer.workers + 1


@pytest.mark.parametrize("code", [None, 128 + signal.SIGTERM])  # Lightning's own exit has none
def test_a_preempted_slurm_job_waits_until_it_is_queued_again(
    code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queue_again() -> None:
        sys.exit("queued")

    monkeypatch.setattr(signal, "pause", queue_again)  # as submitit does at SIGUSR2
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    with pytest.raises(SystemExit, match="queued"), _one_of_several():
        sys.exit(code)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    with pytest.raises(SystemExit, match="143"), _one_of_several():
        sys.exit(code)
