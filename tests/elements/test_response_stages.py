"""The stages of figures 5, 7 and 8 on small random networks, with annotations and without."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipelines import element
from tests.project import Project
from zfrepro import config
from zfrepro.data.store import PreparedSet, seal
from zfrepro.elements import context
from zfrepro.interp import top_activations
from zfrepro.models.convnet import build
from zfrepro.outcome import flat
from zfrepro.results import Results
from zfrepro.training import trained
from zfrepro.training.trained import Trained

NETWORKS = ["one", "two"]
CROP, IMAGE_SIZE = 56, 64
IMAGES = 12  # asked for; ten are a quarter of the split
SETTINGS = config.load(config.CONF / "analysis.yaml")


@pytest.fixture
def results(prepared_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prepared images, two random networks, and the stages pointed there."""
    source = PreparedSet.open(prepared_project.root / "results" / "prepared" / "source")
    shutil.copytree(source.folder, tmp_path / "prepared" / "source")
    spec = config.compose(["+experiment=tab3_zfnet", "profile=smoke", "model.width=0.125"])["model"]
    for seed, name in enumerate(NETWORKS):
        net = build(**spec, classes=len(source.classes), crop=CROP, seed=seed)
        with torch.no_grad():
            net.fc8.weight.mul_(300)  # so that classes differ in probability
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"fingerprint": name, "seed": seed}))
        trainer = {"accelerator": "cpu", "together": "none"}
        made = {"trainer": trainer, "model": dict(spec), "seed": seed}
        (folder / "config.yaml").write_text(config.to_yaml(made))
        trained.save(
            Trained(net, torch.from_numpy(source.mean), IMAGE_SIZE, CROP, list(source.classes),
                    "bilinear"),
            folder / "weights.pt",
        )  # fmt: skip
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path


def run(results: Path, name: str, **changes: Any) -> None:
    small = {"network": "one", "others": ["two"], "images": IMAGES}
    element.run(name, {**SETTINGS[name], **small, **changes}, Results(results))


def read(results: Path, figure: int) -> tuple[dict[str, float], str]:
    """The values of the measures, and the report."""
    folder = f"figures/figure{figure}"
    measures = flat(Results(results).measures(folder))
    report = (results / folder / "report.md").read_text()
    return {name: each.mean for name, each in measures.items()}, report


def test_figure_5(results: Path) -> None:
    run(results, "invariance", rotation=[0, 350, 50], translation=[-60, 60, 20])
    folder = results / "figures" / "figure5"
    curves, means = (pd.read_csv(folder / f"{name}.csv") for name in ("curves", "means"))
    assert curves["image"].nunique() == 10
    one = means[(means["network"] == "one") & (means["layer"] == "fc7")]
    by_amount = curves[curves["layer"] == "fc7"].groupby(["kind", "amount"])["relative"].mean()
    for row in one.to_dict("records"):
        assert row["relative"] == pytest.approx(by_amount[row["kind"], row["amount"]], abs=1e-4)
    measures, report = read(results, 5)
    small = means[(means["kind"] == "translation") & (means["amount"].abs() == 5)]
    for layer in ("conv1", "fc7"):
        expected = small[small["layer"] == layer]["relative"].mean()
        assert measures[f"translation/{layer}"] == pytest.approx(expected, abs=1e-4)
    assert f"translation, conv1: {measures['translation/conv1']:.3f}" in report
    rows = pd.read_csv(folder / "shifts.csv").set_index(["network", "kind", "layer"])
    shifts, before = rows[rows["trained"]], rows[~rows["trained"]]
    # these networks are their own control, but for the classes' weights
    np.testing.assert_allclose(shifts[["small", "whole"]], before[["small", "whole"]], atol=1e-4)
    assert measures["translation/difference/beyond_control"] == pytest.approx(0, abs=1e-5)
    assert shifts.groupby(level=[0, 1, 2]).size().eq(10).all()
    for name in NETWORKS:
        moved = shifts.loc[(name, "translation", "fc7")]
        turned = means[(means["network"] == name) & (means["layer"] == "fc7")]
        turned = turned[turned["kind"] == "rotation"].set_index("amount")["relative"].drop(0)
        assert moved["small"].mean() == pytest.approx(
            small[(small["network"] == name) & (small["layer"] == "fc7")]["relative"].mean(),
            abs=1e-4,
        )
        found = shifts.loc[(name, "rotation", "fc7")]
        assert found["whole"].mean() == pytest.approx(turned.mean(), abs=1e-4)
        assert found["small"].isna().all()
    assert (folder / "figure5.png").is_file()
    assert (folder / "means.pdf").is_file()


def test_figure_4_shared_out_to_gpus_is_the_same(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three GPUs and two networks: each is collected, one of them by two workers."""
    for seed, name in enumerate(NETWORKS):
        folder = results / "runs" / name
        made = config.load(folder / "config.yaml") | {"training": {"batch": 4}}
        (folder / "config.yaml").write_text(config.to_yaml(made))
        recipe = json.loads((folder / "run.json").read_text())
        recipe |= {"data": {"splits": {"train": {"images": 42}}}, "left_out": {"train": 2}}
        (folder / "run.json").write_text(json.dumps(recipe))
        (folder / "snapshots").mkdir()
        for epoch in (1, 2):
            spec = {**made["model"], "classes": 20, "crop": CROP, "seed": 10 * seed + epoch}
            torch.save(build(**spec).state_dict(), folder / f"snapshots/epoch-{epoch:05}.pt")
    settings = {"split": "val", "layers": ["conv1", "conv2"], "maps": 2}
    run(results, "evolution", **settings)
    table = results / "figures" / "figure4" / "convergence.csv"
    expected = table.read_text()
    assert set(pd.read_csv(table)["step"]) == {10, 20}
    shared = share_out(results, monkeypatch)
    run(results, "evolution", **settings)
    assert shared == ["one", "two", "one"]
    assert table.read_text() == expected


OF_KINDS = {
    "unclipped": ["two"], "alexnet": NETWORKS, "zfnet": NETWORKS, "stride2": ["one"],
    "kernel7": ["two"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "settings", "networks"),
    [
        (
            "features",
            {"maps": {"conv1": 2, "conv2": 2}, "strongest_by": "peak"},
            ["one", "one", "one"],
        ),
        ("architecture", OF_KINDS, ["two", "one", "two"]),
        ("occlusion", {"shown": 2}, ["one", "one", "one"]),
    ],
)
def test_a_figure_shared_out_to_gpus_is_the_same(
    name: str, settings: Any, networks: list[str], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three GPUs collect all that the figure needs: this process finds it."""
    run(results, name, **settings)
    expected = {path: path.read_bytes() for path in written(results)}
    assert expected
    shared = share_out(results, monkeypatch)
    run(results, name, **settings)
    assert shared == networks
    assert {path: path.read_bytes() for path in written(results)} == expected


def written(results: Path) -> list[Path]:
    """The tables and numbers of the stages."""
    found = [*results.glob("figures/*/*.csv"), *results.glob("figures/*/measures.json")]
    return sorted([*found, *results.glob("features/*.parquet")])


def share_out(results: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forgets what has been collected, and has the networks collected anew by three GPUs.

    Returns them as they are shared out. What has not been collected then never is.
    """
    shutil.rmtree(config.CHECKPOINTS)
    for name in NETWORKS:
        path = results / "runs" / name / "config.yaml"
        made = config.load(path)
        made["trainer"] = {"accelerator": "auto", "together": "gpus"}
        path.write_text(config.to_yaml(made))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    shared: list[str] = []

    @contextmanager
    def shared_map(workers: int, gpus: list[str]) -> Iterator[Any]:
        assert (workers, gpus) == (3, ["0", "1", "2"])
        yield lambda task, names: [shared.append(name) or task(name) for name in names]
        monkeypatch.setattr(top_activations, "_part", None)

    monkeypatch.setattr(context, "shared_map", shared_map)
    return shared


def test_figure_7(results: Path) -> None:
    run(results, "occlusion", shown=2)
    folder = results / "figures" / "figure7"
    drops = pd.read_csv(folder / "drops.csv")
    assert drops.groupby("network")["image"].nunique().tolist() == [10, 10]
    known = drops.dropna()
    difference = (known["on"] - known["off"]).groupby(known["image"]).mean()
    measures, report = read(results, 7)
    assert measures["difference"] == pytest.approx(100 * difference.mean(), abs=1e-2)
    assert measures["scored"] == len(difference)
    assert f"{measures['scored']:.0f} images with object" in report
    maps = pd.read_csv(folder / "maps.csv")
    assert len(maps) == maps["image"].nunique() * 25**2
    assert (folder / "figure7.png").is_file()


def test_table_1_and_figure_8(results: Path) -> None:
    run(results, "correspondence", draws=3)
    table = pd.read_csv(results / "tables" / "table1.csv").set_index("occlusion")
    networks = pd.read_csv(results / "figures" / "figure8" / "networks.csv")
    measures, report = read(results, 8)
    assert measures["images"] == 10
    for (part, layer), mean in networks.groupby(["occlusion", "layer"])["hamming"].mean().items():
        assert table.loc[part, f"{layer}_mean"] == pytest.approx(mean, abs=2e-4)
        assert measures[f"{layer}/{part}"] == pytest.approx(mean, abs=2e-4)
    pairs = pd.read_csv(results / "figures" / "figure8" / "pairs.csv")
    assert len(pairs) == 3 * 2 * 45
    for (part, layer), rows in pairs.groupby(["occlusion", "layer"]):
        assert (rows["image"] != rows["other"]).all()
        below = measures[f"{layer}/{part}_hamming_below_random"]
        assert rows["hamming"].mean() == pytest.approx(below, abs=2e-5)
    assert table.loc["random", "conv5_paper"] == 0.107
    assert "conv5, nose: random less part" in report
    for name in ("tables/table1.png", "tables/table1.md", "figures/figure8/figure8.pdf"):
        assert (results / name).is_file()


def test_without_annotations_there_is_a_figure_but_no_score(results: Path) -> None:
    source = results / "prepared" / "source"
    shutil.rmtree(source / "annotations")
    manifest = json.loads((source / "manifest.json").read_text())
    del manifest["seal"]
    manifest["files"] = {k: v for k, v in manifest["files"].items() if "annotations" not in k}
    (source / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}))
    run(results, "occlusion", shown=1, images=3)
    assert read(results, 7) == ({"images": 3}, read(results, 7)[1])
    assert "No score: nothing says where the objects are" in read(results, 7)[1]
    assert (results / "figures" / "figure7" / "figure7.png").is_file()
    run(results, "correspondence")
    assert "No two images with landmarks" in read(results, 8)[1]
    table = pd.read_csv(results / "tables" / "table1.csv")
    assert table["conv5_mean"].isna().all()
    assert table["conv5_paper"].tolist() == [0.067, 0.069, 0.079, 0.107]
    assert (results / "tables" / "table1.png").is_file()


def test_a_network_without_layer_7_says_so(results: Path) -> None:
    with pytest.raises(ValueError, match=r"no layer fc9 \(an experiment may have removed it\)"):
        run(results, "invariance", layers=["conv1", "fc9"], images=1)


@pytest.mark.parametrize("name", ["invariance", "occlusion", "correspondence"])
def test_images_of_another_size_are_refused(name: str, results: Path) -> None:
    path = results / "runs" / "two" / "weights.pt"
    content = torch.load(path, weights_only=True)
    torch.save({**content, "image_size": 72, "mean": torch.zeros(72, 72, 3)}, path)
    with pytest.raises(ValueError, match=r"images of 72 pixels, and those in .* have 64"):
        run(results, name)
