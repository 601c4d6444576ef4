"""dvc.yaml agrees with the experiments, the stages' modules and their imports."""

from pathlib import Path
from typing import Any

import pytest

from pipelines import __main__ as pipelines
from tests.project import copy_project
from zfrepro import config, fingerprint

PIPELINE = pipelines.read()
STAGES = PIPELINE["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_import_closure(stage: str) -> None:
    deps = [dep for dep in STAGES[stage]["deps"] if pipelines.is_code(dep)]
    assert deps == pipelines.code_deps(stage), "run `python -m pipelines`"


def test_every_stage_has_a_module_and_every_module_a_stage() -> None:
    modules = {path.stem for path in (config.ROOT / "pipelines").glob("[!_]*.py")}
    assert modules == set(STAGES)
    for name, stage in STAGES.items():
        assert stage["cmd"].startswith(f"python -m pipelines.{name}")


def test_dvc_yaml_is_up_to_date_with_the_experiments() -> None:
    fresh = pipelines.synchronised(pipelines.read(), config.options("experiment"))
    assert fresh == PIPELINE, "run `python -m pipelines`"


def test_a_new_experiment_reaches_every_list() -> None:
    names = [*config.options("experiment"), "tab3_new"]
    fresh: dict[str, Any] = pipelines.synchronised(pipelines.read(), names)
    assert fresh["vars"][0]["experiments"] == names
    assert "results/runs/tab3_new" in fresh["stages"]["evaluate"]["deps"]
    assert all(
        any(path.startswith("results/runs/tab3_new/") for path in entry["y"])
        for plot in fresh["plots"]
        for entry in plot.values()
    )


def test_code_of_training_is_in_the_fingerprint_and_tracking_is_not() -> None:
    names = {
        path.relative_to(config.ROOT).as_posix()
        for path in fingerprint.closure(["zfrepro.training.fit"])
    }
    assert {
        "zfrepro/training/module.py",
        "zfrepro/data/module.py",
        "zfrepro/models/convnet.py",
    } <= names
    assert not {
        name for name in names if "tracking" in name or "config" in name or "report" in name
    }


def test_a_training_depends_on_its_own_configuration_alone() -> None:
    train = STAGES["train"]
    data = [dep for dep in train["deps"] if not pipelines.is_code(dep)]
    (params,) = train["params"]
    assert list(params) == ["results/configs/${item.experiment}.yaml"]
    assert data == ["results/prepared/source", "results/overlap/excluded.parquet"]


def test_an_edit_to_one_experiment_changes_its_configuration_alone(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    edited = tmp_path / "conf" / "experiment" / "tab3_no_fc7.yaml"

    def resolved() -> dict[str, str]:
        done = project.run("pipelines.resolve")
        assert done.returncode == 0, done.stderr
        configs = (tmp_path / "results" / "configs").glob("*.yaml")
        return {path.stem: path.read_text() for path in configs}

    before = resolved()
    edited.write_text(f"{edited.read_text()}training: {{lr: 0.02}}\n")
    after = resolved()
    assert before.keys() == after.keys() == {*config.options("experiment"), "analysis", "transfer"}
    assert [name for name in after if after[name] != before[name]] == ["tab3_no_fc7"]
