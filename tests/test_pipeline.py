"""dvc.yaml agrees with the experiments and the stages' modules, and these with what they import."""

import json
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from pipelines import __main__ as pipelines
from pipelines import sources as code
from tests.project import copy_project
from zfrepro import config, elements, fingerprint

pytestmark = pytest.mark.slow

PIPELINE = pipelines.read()
STAGES = PIPELINE["stages"]


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"sources"}))
def test_a_stage_depends_on_the_digest_of_its_code(stage: str) -> None:
    own = f"results/sources/{stage}.json"
    code = [dep for dep in STAGES[stage]["deps"] if dep.startswith("results/sources/")]
    assert code == [own]
    assert STAGES["sources"]["outs"] == ["results/sources"]
    assert set(fingerprint.PACKAGES) <= set(STAGES["sources"]["deps"])


def test_sources_are_the_import_closure_of_each_stage(tmp_path: Path) -> None:
    """An edit reaches the stages that import the file, near or far, and a comment reaches none."""
    project = copy_project(tmp_path)

    def written() -> dict[str, dict[str, str]]:
        done = project.run("pipelines.sources")
        assert done.returncode == 0, done.stderr
        files = (tmp_path / "results" / "sources").glob("*.json")
        return {path.stem: json.loads(path.read_text()) for path in files}

    before = written()
    assert before.keys() == set(STAGES) - {"sources"}
    for stage, sources in before.items():
        closure = fingerprint.closure(code.stages()[stage])
        told = {f"zfrepro/elements/{name}/element.py" for name in elements.NAMES}
        expected = {str(path.relative_to(config.ROOT)) for path in closure}
        assert set(sources) == expected | (told if stage in code.SHOWS else set())
    edited = tmp_path / "zfrepro" / "interp" / "deconv.py"
    edited.write_text(f"# a comment\n{edited.read_text()}")
    assert written() == before
    edited.write_text(f"{edited.read_text()}\nMORE = 1\n")
    after = written()
    changed = {stage for stage in after if after[stage] != before[stage]}
    assert changed == {
        "architecture", "atlas", "correspondence", "evolution", "features", "invariance",
        "occlusion",
    }  # fmt: skip


def test_every_stage_has_a_module_and_every_module_a_stage() -> None:
    modules = {path.stem for path in (config.ROOT / "pipelines").glob("[!_]*.py")}
    assert modules - {"element"} | set(elements.NAMES) == set(STAGES)
    for name, stage in STAGES.items():
        module = f"element {name}" if name in elements.NAMES else name
        assert stage["cmd"].startswith(f"python -m pipelines.{module}")


def test_dvc_yaml_is_up_to_date_with_the_experiments() -> None:
    fresh = pipelines.synchronised(pipelines.read(), config.options("experiment"))
    assert fresh == PIPELINE, "run `python -m pipelines`"


def test_a_new_experiment_reaches_every_list() -> None:
    names = [*config.options("experiment"), "tab3_new"]
    fresh: dict[str, Any] = pipelines.synchronised(pipelines.read(), names)
    assert fresh["vars"][0]["experiments"] == names
    assert all(
        any(path.startswith("results/runs/tab3_new/") for path in entry["y"])
        for plot in fresh["plots"]
        for entry in plot.values()
    )


def test_stages_wait_for_all_that_is_written_into_the_folders_they_read() -> None:
    with Repo(config.ROOT) as repo:
        graph = repo.index.graph
        after = {stage.name: {each.name for each in graph.successors(stage)} for stage in graph}
    trainings = {f"train@{name}" for name in config.options("experiment")}
    figures = {
        "overlap", "features", "evolution", "architecture", "invariance", "occlusion",
        "correspondence", "tables",
    }  # fmt: skip
    transfers = {f"transfer@{name}" for name in config.TRANSFER_SETS}
    assert trainings <= after["evaluate"]
    assert trainings | figures | transfers | {"evaluate", "probe", "claims"} <= after["publish"]
    assert transfers | {"probe", "evaluate"} <= after["tables"]
    assert figures | {"evaluate", "claims"} <= after["report"]
    assert "publish" not in after["report"]  # a page without MLflow
    assert {each.stage for each in elements.every() if not each.beside} <= after["claims"]


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
    assert train["deps"] == [
        "results/sources/train.json",
        "results/configs/${item.experiment}.yaml",
        "results/prepared/source",
        "results/overlap/excluded.parquet",
    ]
    shown = {path.removeprefix("results/configs/") for path in PIPELINE["params"]}
    assert {f"{name}.yaml" for name in config.options("experiment")} <= shown


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


def test_plots_tell_networks_apart_and_show_pictures_whole() -> None:
    """By a template of our own: DVC's draws the files of one revision in one colour."""
    folder = config.ROOT / ".dvc" / "plots"
    template = json.loads((folder / "curves.json").read_text(encoding="utf-8"))
    assert template["encoding"]["color"]["field"] == "network"
    assert template["encoding"]["color"]["legend"]["labelLimit"] == 0
    drawn = [options for plot in PIPELINE["plots"] for options in plot.values()]
    assert [each["template"] for each in drawn] == ["curves"] * len(drawn)
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "{plot_divs}" in page
    assert '<meta charset="utf-8">' in page
    with Repo(str(config.ROOT)) as repo:
        assert repo.config["plots"]["html_template"] == "plots/page.html"


def test_an_output_is_stored_once(tmp_path: Path) -> None:
    """The prepared images of a study are hundreds of gigabytes: the cache holds the same file."""
    Repo.init(str(tmp_path), no_scm=True)
    text = (config.ROOT / ".dvc" / "config").read_text()
    (tmp_path / ".dvc" / "config").write_text(text.replace("[core]", "[core]\n    no_scm = true"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "train.npy").write_bytes(bytes(100_000))
    repo = Repo(str(tmp_path))
    repo.add(str(tmp_path / "images"))
    inode = (tmp_path / "images" / "train.npy").stat().st_ino
    kept = [path for path in (tmp_path / ".dvc" / "cache").rglob("*") if path.is_file()]
    assert inode in {path.stat().st_ino for path in kept}
