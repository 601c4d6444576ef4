"""Features, Gram matrices and classifiers of other sets, and nets from scratch, on the device."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.fake_device.accelerator import CUDA, OnDevice, accelerator, no_accelerator
from tests.transfer import target_sets
from zfrepro import config
from zfrepro.elements.transfer import folds, probe
from zfrepro.elements.transfer import stage as transfer
from zfrepro.training.trained import Trained
from zfrepro.transfer import classifiers, scratch
from zfrepro.transfer.classifiers import Linear, Loss
from zfrepro.transfer.coordinates import coordinates

CFG = config.compose_experiment("tab3_zfnet", ["profile=smoke", "model.width=0.125"])
CFG["trainer"] |= {"accelerator": "gpu", "together": "none"}
SETTINGS = config.compose_transfer(["transfer=smoke"])
SETTINGS["caltech101"]["scratch"] = {"images_per_class": [4], "folds": 1}
SETTINGS["probe"] |= {
    "images_per_class": {"caltech101": 4}, "folds": 1,
    "svm": ["conv1", "fc7"], "softmax": ["conv5"],
}  # fmt: skip
alone = classifiers._differentiated
STAGES: dict[str, Callable[[], None]] = {
    "probe": lambda: probe.run(SETTINGS),
    "transfer/caltech101": lambda: transfer.run(SETTINGS, "caltech101"),
    "transfer/voc2012": lambda: transfer.run(SETTINGS, "voc2012"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, and a network that has learned nothing, for a GPU."""
    made = tmp_path_factory.mktemp("project") / "results"
    prepared = target_sets.caltech(made / "prepared" / "caltech101")
    target_sets.voc(made / "prepared" / "voc2012")
    network = target_sets.network(CFG, prepared.mean)
    target_sets.write_run(made / "runs" / "tab3_zfnet", CFG, network)
    return made


@pytest.fixture
def stage(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one in this process, without what an earlier run has kept, and reads its folds."""
    for module in (folds, transfer, probe):
        monkeypatch.setattr(module, "RESULTS", results)
    monkeypatch.setattr(transfer, "OUT", results / "transfer")
    monkeypatch.setattr(transfer, "cores", lambda: 1)
    monkeypatch.setattr(scratch, "fit", untrained)
    monkeypatch.setattr(classifiers, "_differentiated", differentiated)

    def run(name: str, kept: str) -> pd.DataFrame:
        monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / kept)
        STAGES[name]()
        return pd.read_csv(results / name / "folds.csv")

    return run


def untrained(cfg: Any, data: Any, folder: Path, report: Any) -> SimpleNamespace:
    """Lightning's training is its own affair; what it gives back is on the CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    net = target_sets.network(cfg, data.mean, len(data.classes)).net
    return SimpleNamespace(net=net, precision="32-true")


def differentiated(loss: Loss, scores: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """Autograd starts a thread for each GPU, and there is none: it goes back on the CPU."""
    if not isinstance(scores, OnDevice) or not isinstance(signs, OnDevice):
        return alone(loss, scores, signs)
    slopes = alone(loss, scores.held.clone(), signs.held)[1]
    return loss(scores, signs), OnDevice(slopes)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_gives_on_the_device_what_it_gives_on_a_cpu(name: str, stage: Any) -> None:
    with no_accelerator():
        expected = stage(name, "cpu")
    with accelerator():
        found = stage(name, "device")
    assert len(found) > 0
    pd.testing.assert_frame_equal(found, expected, rtol=1e-3)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize(
    ("module", "function", "changed"),
    [
        (OnDevice, "cpu", lambda self: self),
        (Trained, "to", lambda self, device: self),
    ],
    ids=["nothing is brought back for NumPy", "the network stays where it is"],
)
def test_a_stage_that_mixes_devices_fails(
    name: str, module: Any, function: str, changed: Any, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, function, changed, raising=False)
    with accelerator(), pytest.raises(RuntimeError, match=r"on the CPU|not supported for tensor"):
        stage(name, "mixed")


@pytest.mark.parametrize("numbers", [7, 300])  # fewer, and more, than images to train on
def test_coordinates_are_where_they_are_wanted(numbers: int, tmp_path: Path) -> None:
    features = np.random.default_rng(0).random((50, numbers), dtype=np.float32)
    np.save(tmp_path / "features.npy", features)
    with accelerator():
        found = coordinates(tmp_path / "features.npy", np.arange(25), np.arange(25, 50), CUDA)
        assert found.train.device == CUDA
        model = Linear(found.train.zeros(min(numbers, 25), 3), found.train.zeros(3))
        assert found.scores(model).tolist() == 25 * [[0, 0, 0]]


@pytest.mark.parametrize("name", ["probe", "transfer/caltech101"])
def test_coordinates_on_the_cpu_are_noticed(
    name: str, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Gram matrices were: the features are read, and stay there."""
    coordinates = folds.probe.coordinates
    monkeypatch.setattr(folds.probe, "coordinates", lambda *of: coordinates(*of[:3]))
    with accelerator(), pytest.raises(RuntimeError, match="on the CPU"):
        stage(name, "cpu")


def test_a_tested_net_from_scratch_stays_on_the_cpu_no_more(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "device_of", lambda _: torch.device("cpu"))
    with accelerator(), pytest.raises(RuntimeError, match="on the CPU"):
        stage("transfer/caltech101", "scratch")
