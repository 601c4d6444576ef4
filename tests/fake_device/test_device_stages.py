"""Each stage that runs a network runs it on the device, and leaves what it leaves on a CPU.

Not here: trainings, which Lightning brings to the device; and `overlap`, which has no network.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pipelines import element, evaluate
from tests.fake_device.accelerator import OnDevice, accelerator, no_accelerator
from tests.project import Project
from zfrepro import config
from zfrepro import evaluate as scoring
from zfrepro.cost import evaluating, here
from zfrepro.data.store import PreparedSet
from zfrepro.elements.invariance import measure as invariance
from zfrepro.elements.occlusion import stage as occlusion
from zfrepro.inference import inputs
from zfrepro.models.convnet import build
from zfrepro.results import Results
from zfrepro.training import trained
from zfrepro.training.trained import Trained

NETWORKS = {"one": "32-true", "two": "bf16-mixed"}  # trained in that precision
CROP, IMAGE_SIZE = 56, 64
SETTINGS = config.load(config.CONF / "analysis.yaml")
SMALL: dict[str, dict[str, Any]] = {  # after `features`, whose table the atlas takes
    "features": {"maps": {"conv1": 2, "conv5": 2}, "strongest_by": "peak"},
    "atlas": {"split": "val", "layers": ["conv1", "conv5"]},
    "evolution": {"split": "val", "layers": ["conv1", "conv5"], "maps": 2},
    "invariance": {"images": 2, "rotation": [0, 300, 100], "translation": [-60, 60, 20]},
    "occlusion": {"images": 2, "shown": 1},
    "correspondence": {"images": 4, "draws": 2},
    "architecture": {
        "unclipped": ["two"], "alexnet": [*NETWORKS], "zfnet": [*NETWORKS], "stride2": ["one"],
        "kernel7": ["two"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def study(prepared_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared images and two random networks with two snapshots each, for a GPU."""
    results = tmp_path_factory.mktemp("study")
    source = PreparedSet.open(prepared_project.root / "results" / "prepared" / "source")
    shutil.copytree(source.folder, results / "prepared" / "source")
    spec = config.compose(["+experiment=tab3_zfnet", "profile=smoke", "model.width=0.125"])["model"]
    for seed, (name, precision) in enumerate(NETWORKS.items()):
        nets = [
            build(**spec, classes=len(source.classes), crop=CROP, seed=10 * seed + epoch)
            for epoch in range(3)
        ]
        folder = results / "runs" / name
        (folder / "snapshots").mkdir(parents=True)
        recipe = {
            "fingerprint": name, "seed": seed, "parameters": 1,
            "data": {"splits": {"train": {"images": 42}}}, "left_out": {"train": 2},
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(recipe))
        (folder / "metrics.json").write_text(json.dumps({"epochs": 2}))
        made = {
            "trainer": {"accelerator": "gpu", "together": "none"}, "model": dict(spec),
            "seed": seed, "training": {"batch": 4}, "paper": {"val_top1": 38.4, "val_top5": 16.5},
        }  # fmt: skip
        (folder / "config.yaml").write_text(config.to_yaml(made))
        with torch.no_grad():
            nets[0].fc8.weight.mul_(300)  # so that classes differ in probability
        for epoch, net in enumerate(nets):
            torch.save(net.state_dict(), folder / f"snapshots/epoch-{epoch + 1:05}.pt")
        mean, classes = torch.from_numpy(source.mean), list(source.classes)
        trained.save(
            Trained(nets[0], mean, IMAGE_SIZE, CROP, classes, "bilinear", precision),
            folder / "weights.pt",
        )
    return results


@pytest.fixture
def stage(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, pd.DataFrame]]:
    """Runs one, without what an earlier run has kept, and reads its tables."""

    def run(name: str) -> dict[str, pd.DataFrame]:
        results = tmp_path / "results"
        shutil.rmtree(tmp_path)
        results.mkdir(parents=True)
        for part in ("prepared", "runs"):
            (results / part).symlink_to(study / part)
        monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / "checkpoints")
        monkeypatch.setattr(evaluate, "RESULTS", results)
        monkeypatch.setattr(evaluate, "at_once", lambda _: 1)
        if name == "evaluate":
            monkeypatch.setattr(evaluate, "_resolved", lambda name: made_of(results, name))
            evaluate.run([*NETWORKS])
        elif name == "atlas":
            run_element(results, "features")
            run_element(results, name)
        else:
            run_element(results, name)
        return dict(tables(results))

    return run


def made_of(results: Path, name: str) -> Any:
    return config.load(results / "runs" / name / "config.yaml")


def run_element(results: Path, name: str) -> None:
    changes = {"network": "one", "others": ["two"], **SMALL[name]}
    element.run(name, {**SETTINGS[name], **changes}, Results(results))


def tables(results: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    for path in sorted(results.glob("*/**/*.csv")):
        if "prepared" not in path.parts:
            yield path.name, pd.read_csv(path)
    for path in sorted(results.glob("[fp]*/**/*.parquet")):
        yield str(path.relative_to(results)), pd.read_parquet(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SMALL, "evaluate"])
def test_a_stage_gives_on_the_device_what_it_gives_on_a_cpu(name: str, stage: Any) -> None:
    with no_accelerator():
        expected = stage(name)
    with accelerator():
        found = stage(name)
    assert found.keys() == expected.keys() != set()
    for table, rows in expected.items():
        pd.testing.assert_frame_equal(found[table], rows, rtol=1e-3, atol=1e-4, obj=table)


def test_a_network_is_scored_as_on_a_cpu(study: Path) -> None:
    def score() -> str:
        weights = [str(study / "runs" / name / "weights.pt") for name in NETWORKS]
        return scoring.score(weights, study / "prepared" / "source", "val", "ten", None)

    with no_accelerator():
        expected = score()
    with accelerator():
        assert score() == expected


def test_the_plan_measures_networks_there() -> None:
    cfg = config.compose_experiment("tab3_zfnet", ["profile=smoke", "model.width=0.125"])
    cfg["trainer"]["accelerator"] = "gpu"
    with accelerator():
        assert here.device(cfg).type == "cuda"
        assert evaluating.seconds_per_image(cfg, 20, here.device(cfg)) > 0
        assert here.fit_seconds(cfg) > 0


MIXES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "nothing is brought back for NumPy": (OnDevice, "cpu", lambda self: self),
    "the network stays where it is": (Trained, "to", lambda self, device: self),
    "grey stays": (occlusion, "grey", lambda *of: inputs.grey(*of).cpu()),
    "moved images stay": (invariance, "_sampled", lambda *of: sampled(*of).cpu()),
}
EVERYWHERE = list(MIXES)[:2]
sampled = invariance._sampled


@pytest.mark.parametrize(
    ("name", "mix"),
    [
        ("occlusion", "grey stays"), ("invariance", "moved images stay"),
        *((name, mix) for name in (*SMALL, "evaluate") for mix in EVERYWHERE),
    ],
)  # fmt: skip
def test_a_stage_that_mixes_devices_fails(
    name: str, mix: str, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, function, changed = MIXES[mix]
    monkeypatch.setattr(module, function, changed, raising=False)
    with (
        accelerator(),
        pytest.raises(RuntimeError, match=r"on the CPU|not supported for tensor"),
    ):
        stage(name)
