"""The examples of docs/adding.md apply to the project as it is, and do what they say."""

import json
import re
import subprocess

import numpy as np
import pytest

from tests.project import Project, copy_project
from zfrepro import config

PAGE = (config.ROOT / "docs" / "adding.md").read_text()
DIFFS = dict(
    zip(
        ("experiment", "analysis", "data"),
        re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL),
        strict=True,
    )
)
PRESET = ("profile=smoke", "exclude_overlap=false")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with all three, and dvc.yaml brought up to date."""
    root = tmp_path_factory.mktemp("added")
    copy = copy_project(root)
    for name, diff in DIFFS.items():
        done = subprocess.run(
            ["git", "apply", "-"],
            cwd=root,
            input=diff,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
    succeed(copy, "pipelines")
    return copy


def succeed(project: Project, module: str, *args: str) -> str:
    done = project.run(module, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", DIFFS)
def test_an_example_is_short(name: str) -> None:
    assert len(re.findall(r"^\+(?!\+\+ )[^\n]", DIFFS[name], re.MULTILINE)) < 30


def test_an_experiment_and_an_analysis(project: Project) -> None:
    """Prepared, trained for an epoch, and looked at."""
    stages = (project.root / "dvc.yaml").read_text()
    assert "results/runs/zfnet_lcn/epochs.csv: val/top1" in stages
    assert "- results/sources/sparsity.json\n      - results/sources/tables.json" in stages
    assert stages.count("results/figures/sparsity") == 2  # its output, and what `publish` waits for
    configs = project.root / "results" / "configs"
    program = (
        "from zfrepro import config, files; import sys; "
        "made = config.compose_experiment('zfnet_lcn', sys.argv[1:]); "
        "files.atomic_write(config.CONFIGS / 'sets' / 'source.yaml', config.to_yaml(made['data'])); "
        "analysis = config.compose_analysis(); "
        "analysis['sparsity']['network'] = 'zfnet_lcn'; "
        "files.atomic_write(config.CONFIGS / 'analysis.yaml', config.to_yaml(analysis)); "
        "files.atomic_write(config.CONFIGS / 'zfnet_lcn.yaml', config.to_yaml(made))"
    )
    (project.root / "configure.py").write_text(program)
    small = ("training.epochs=1", "snapshots=[]", "tracking=disabled", "trainer.together=false")
    succeed(project, "configure", *PRESET, *small)
    assert (configs / "zfnet_lcn.yaml").is_file()
    succeed(project, "pipelines.prepare", "source")
    succeed(project, "pipelines.train", "zfnet_lcn")
    succeed(project, "pipelines.sparsity")
    figure = project.root / "results" / "figures" / "sparsity"
    assert (figure / "sparsity.png").stat().st_size > 5000
    assert (figure / "sparsity.pdf").is_file()
    shares = json.loads((figure / "measures.json").read_text())
    assert list(shares) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    assert all(0 < share < 100 for share in shares.values())
    assert json.loads((figure / "recipe.json").read_text())["network"] == "zfnet_lcn"


def test_a_data_set(project: Project) -> None:
    """Its own layout, of five images a file, and the first of them as it was."""
    raw = project.root / "cifar"
    raw.mkdir()
    rng = np.random.default_rng(0)
    rows = {name: rng.integers(256, size=(5, 3073), dtype=np.uint8) for name in FILES}
    for name, each in rows.items():
        each[:, 0] = range(5)
        each.tofile(raw / name)
    program = (
        "import sys; from pipelines import prepare; from zfrepro import config; "
        "made = config.compose_experiment('tab3_zfnet', sys.argv[1:]); "
        "prepare.run('cifar', made['data'])"
    )
    (project.root / "set_up.py").write_text(program)
    size = "data.image_size=32"
    succeed(project, "set_up", *PRESET, "data=cifar10", f"data.root={raw}", size)
    folder = project.root / "results" / "prepared" / "cifar"
    assert np.load(folder / "val.npy").shape == (5, 32, 32, 3)
    first = rows["data_batch_1.bin"][0, 1:].reshape(3, 32, 32).transpose(1, 2, 0)
    assert (np.load(folder / "train.npy")[0] == first).all()
    assert np.load(folder / "train.npy").shape == (10, 32, 32, 3)


FILES = ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin")
