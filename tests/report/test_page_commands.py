"""From numbers on the page to their commands, which print those numbers."""

import re
import shlex

import numpy as np
import pytest
import torch

from tests.project import Project
from tests.report.test_page import Reader
from zfrepro import config, files
from zfrepro.data.store import PreparedSet
from zfrepro.elements.errors.tables import TOP1, TOP5, TRAIN, Networks, Row
from zfrepro.inference import evaluation
from zfrepro.models.convnet import build as build_net
from zfrepro.render import tables
from zfrepro.report.page.build import build
from zfrepro.training import trained
from zfrepro.training.trained import Trained

NAMES = ("tab3_zfnet", "tab2_zfnet_seed1")
ENSEMBLE = "zfnet_5_convnets_a"
ROWS = {
    "table2": [Row("zfnet_1_convnet", NAMES), Row(ENSEMBLE, NAMES, ensemble=True)],
    "table3": [Row(NAMES[0], NAMES[:1])],
}
METRICS = {"table2": (TOP1, TOP5), "table3": (TRAIN, TOP1, TOP5)}


@pytest.fixture(scope="module")
def study(prepared_project: Project) -> Project:
    """Two random networks on prepared images, their predictions, and tables 2 and 3 of them."""
    prepared_project.forget()
    results = prepared_project.root / "results"
    images = PreparedSet.open(results / "prepared" / "source")
    for seed, name in enumerate(NAMES):
        network = random_network(images, config.load(results / "configs" / f"{name}.yaml"), seed)
        folder = results / "runs" / name
        folder.mkdir(parents=True)
        trained.save(network, folder / "weights.pt")
        network = trained.load(folder / "weights.pt")
        recipe = {"fingerprint": name, "seed": seed, "parameters": 1, "profile": "smoke"}
        files.write_json(folder / "run.json", recipe)
        files.write_json(folder / "metrics.json", {"epochs": 1})
        for split, indices in evaluation.splits(images):
            path = results / "predictions" / name / f"{split.name}_ten.parquet"
            evaluation.evaluate(network, split, indices, {"ten": path})
    for name, rows in ROWS.items():
        table = Networks(results).build(name, rows, METRICS[name])
        tables.write(table, results / "tables" / f"{name}.csv")
    return prepared_project


def random_network(images: PreparedSet, cfg: config.Config, seed: int) -> Trained:
    net = build_net(**cfg["model"], classes=len(images.classes), crop=cfg["crop"], seed=seed)
    with torch.no_grad():
        net.fc8.weight.mul_(300)  # so that classes differ in probability
    mean = torch.from_numpy(np.asarray(images.mean))
    return Trained(net, mean, images.image_size, cfg["crop"], list(images.classes), "bilinear")


@pytest.mark.parametrize(
    "keys",
    [
        (f"table3/{NAMES[0]}/val_top1", f"table3/{NAMES[0]}/val_top5"),
        (f"table3/{NAMES[0]}/train_top1",),
        tuple(
            f"table2/{row}/{error}"
            for row in ("zfnet_1_convnet", ENSEMBLE)
            for error in ("val_top1", "val_top5")
        ),
    ],
)
def test_the_command_of_a_number_prints_it(study: Project, keys: tuple[str, ...]) -> None:
    page = Reader(build(study.root / "results").html)
    numbers = [page.number(key) for key in keys]
    (command,) = {number.attributes["data-command"] for number in numbers}
    python, option, module, *words = shlex.split(command)
    assert (python, option) == ("python", "-m")
    done = study.run(module, *words)
    assert done.returncode == 0, done.stderr
    printed = [float(number) for number in re.findall(r"error +([\d.]+) %", done.stdout)]
    data = [page.elements[page.elements.index(number) + 1] for number in numbers]
    shown = [float(element.attributes["value"]) for element in data]
    assert printed[: len(shown)] == pytest.approx(shown, abs=0.01)
    assert 0 < shown[0] < 100
