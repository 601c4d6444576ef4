"""The examples of docs/adding.md apply to the project as it is, and do what they say."""

import json
import re
import shutil
import sqlite3
import subprocess
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.project import Project, copy_project
from zfrepro import config, files

PAGE = (config.ROOT / "docs" / "adding.md").read_text()
BLOCKS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
DIFFS = dict(zip(("experiment", "analysis", "claim", "data set"), BLOCKS, strict=True))
SHORT = {"analysis": 60}  # lines of an example, where thirty are too few
FILES = ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin")
SMALL = (
    "profile=smoke", "exclude_overlap=false", "training.epochs=1", "snapshots=[]",
    "tracking.live=false", "trainer.together=none",
)  # fmt: skip
# as stage `resolve`, for a training of seconds and an analysis of what it has trained
CONFIGURE = """
import sys
from zfrepro import config, files
made, analysis = config.compose_experiment("zfnet_lcn", sys.argv[1:]), config.compose_analysis()
analysis["pictures"]["formats"] = ["png", "pdf"]
analysis["gradcam"] |= {"network": "zfnet_lcn", "others": [], "images": 20}
written = {"zfnet_lcn": made, "sets/source": made["data"], "analysis": analysis}
for name, content in written.items():
    files.atomic_write(config.CONFIGS / f"{name}.yaml", config.to_yaml(content))
"""
SET_UP = """
import sys
from pipelines import prepare
from zfrepro import config, files
if __name__ == "__main__":  # worker processes import it
    prepare.run("cifar", config.compose_experiment("tab3_zfnet", sys.argv[1:])["data"])
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with all three, and dvc.yaml brought up to date."""
    root = tmp_path_factory.mktemp("added")
    copy = copy_project(root)
    for name, diff in DIFFS.items():
        done = subprocess.run(
            ["git", "apply", "-"], cwd=root, input=diff, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
    succeed(copy, "pipelines")
    return copy


def succeed(project: Project, module: str, *args: str) -> None:
    done = project.run(module, *args)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DIFFS)
def test_an_example_is_short(name: str) -> None:
    added = re.findall(r"^\+(?!\+\+ )[^\n]", DIFFS[name], re.MULTILINE)  # blank lines aside
    assert 0 < len(added) < SHORT.get(name, 30)


def judged(project: Project) -> dict[str, Any]:
    """What stage `claims` says of the analysis."""
    succeed(project, "pipelines.claims")
    document = json.loads((project.root / "results" / "report" / "claims.json").read_text())
    [claim] = [each for each in document["claims"] if each["id"] == "gradcam-excess"]
    return dict(claim)


def test_an_experiment_and_an_analysis(project: Project) -> None:
    """Prepared, trained for an epoch, and looked at; the number stands wherever numbers stand."""
    stages = YAML(typ="safe").load(project.root / "dvc.yaml")["stages"]
    assert "results/runs/zfnet_lcn/epochs.csv: val/top1" in (project.root / "dvc.yaml").read_text()
    assert stages["gradcam"]["cmd"] == "python -m pipelines.element gradcam"
    assert stages["gradcam"]["deps"][0] == "results/sources/gradcam.json"
    assert "results/runs/tab2_zfnet_seed4" in stages["gradcam"]["deps"]
    assert "results/figures/gradcam" in stages["claims"]["deps"]
    (project.root / "configure.py").write_text(CONFIGURE)
    succeed(project, "configure", *SMALL)
    succeed(project, "pipelines.prepare", "source")
    succeed(project, "pipelines.train", "zfnet_lcn")
    succeed(project, "pipelines.element", "gradcam")
    results = project.root / "results"
    figure = results / "figures" / "gradcam"
    assert (figure / "gradcam.png").stat().st_size > 5000
    assert (figure / "gradcam.pdf").is_file()
    measured = json.loads((figure / "measures.json").read_text())["excess"]
    excess = pd.read_csv(figure / "excess.csv")["excess"]
    assert measured["value"] == pytest.approx(excess.mean(), abs=1e-4)
    assert measured["count"] == len(excess) > 0

    shutil.copy(results / "configs" / "zfnet_lcn.yaml", results / "configs" / "tab3_zfnet.yaml")
    assert "no better than chance" in judged(project)["note"]  # so short is its training
    metrics = results / "runs" / "zfnet_lcn" / "metrics.json"
    as_made = metrics.read_bytes()
    files.write_json(metrics, {**json.loads(as_made), "at_chance": False})
    claim = judged(project)
    files.atomic_write(metrics, as_made)
    above, below = measured["low"] > 0, measured["high"] < 0
    expected = "reproduced" if above else "contradicted" if below else "inconclusive"
    assert (claim["verdict"], claim["stage"]) == (expected, "gradcam")
    assert claim["effect"] == pytest.approx(measured["value"], abs=1e-4)

    succeed(project, "pipelines.report")
    numbers = pd.read_csv(results / "report" / "numbers.csv").set_index("element")
    assert numbers.loc["gradcam", "value"] == measured["value"]
    assert "--force gradcam" in numbers.loc["gradcam", "command"]
    page = (results / "report" / "index.html").read_text()
    assert "Where the network looks, by Grad-CAM" in page
    assert '<a href="#claim-gradcam-excess">The network looks at the object</a>' in page

    dead = project.run("pipelines.publish", "zfnet_lcn", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (dead.returncode, dead.stderr.count("warning: the tracking store")) == (0, 1)
    assert json.loads((results / "published.json").read_text()) == {}
    succeed(project, "pipelines.publish", "zfnet_lcn")
    with sqlite3.connect(project.root / "mlflow.db") as store:
        filed = store.execute(
            "SELECT m.value FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e "
            "USING (experiment_id) WHERE e.name = 'gradcam' AND m.key = 'excess'"
        ).fetchall()
    assert [value for (value,) in filed] == [pytest.approx(measured["value"])]

    done = project.run("zfrepro.plan", "gpu=a100", "seconds=1")
    assert re.search(r"^gradcam\b", done.stdout, re.MULTILINE), done.stderr


def test_a_data_set(project: Project) -> None:
    """Its own layout, of five images a file, and the first of them as it was."""
    raw = project.root / "cifar"
    raw.mkdir()
    rng = np.random.default_rng(0)
    rows = {name: rng.integers(256, size=(5, 3073), dtype=np.uint8) for name in FILES}
    for name, each in rows.items():
        each[:, 0] = range(5)
        each.tofile(raw / name)
    (project.root / "set_up.py").write_text(SET_UP)
    size = ("data.image_size=32", "crop=28")
    chosen = ("profile=fashion_mnist", "data=cifar10", f"data.root={raw}", *size)
    succeed(project, "set_up", *chosen)
    folder = project.root / "results" / "prepared" / "cifar"
    assert np.load(folder / "train.npy").shape == (10, 32, 32, 3)
    assert np.load(folder / "val.npy").shape == (5, 32, 32, 3)
    first = rows["data_batch_1.bin"][0, 1:].reshape(3, 32, 32).transpose(1, 2, 0)
    assert (np.load(folder / "train.npy")[0] == first).all()
