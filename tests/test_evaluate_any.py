"""`python -m zfrepro.evaluate` with a network of one's own, on prepared images or class folders."""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torchvision import models

from tests.look import own_network
from tests.run_folders import save_weights
from tests.test_evaluate_published import write_prepared
from zfrepro import evaluate, library
from zfrepro.data.pictures import Labelled

OWN = "tests.look.own_network"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class folders of a network's three classes: by name, by number, and again by name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("dog", "0", "owl"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(256, size=(50, 40 + number, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "animals" / name / f"{number}.png")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate", *map(str, words)])
    evaluate.main()


def test_class_folders_are_scored(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        monkeypatch, f"{OWN}:residual", "--images", "animals", "--crops", "centre", "--out",
        "kept.parquet",
    )  # fmt: skip
    network, rows = own_network.residual(), pq.read_table("kept.parquet").to_pylist()
    assert {row["path"].split("/")[0]: row["label"] for row in rows} == {"0": 0, "dog": 1, "owl": 2}
    for row in rows:
        view = library.see(network, here / "animals" / row["path"])
        np.testing.assert_allclose(row["probabilities"], view.probabilities, rtol=1e-4)
    wrong = np.mean([row["top5"][0] != row["label"] for row in rows])
    said = capsys.readouterr().out
    assert f"{OWN}:residual on 12 images (animals, centre crop)" in said
    assert f"top-1 error {100 * wrong:6.2f} %" in said
    assert "top-5" not in said  # of three classes it says nothing


def test_torchvisions_probabilities_are_torchvisions(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders by WordNet id and by name; ImageNet's classes in the order of the outputs."""
    (here / "animals" / "dog").rename(here / "animals" / "n02123045")
    (here / "animals" / "owl").rename(here / "animals" / "Great Grey Owl")
    torch.manual_seed(0)
    net = models.resnet18().eval()
    torch.save(net.state_dict(), "net.pt")
    run(
        monkeypatch, "torchvision.models:resnet18", "--weights", "net.pt", "--images", "animals",
        "--crops", "centre", "--out", "kept.parquet",
    )  # fmt: skip
    transform = models.ResNet18_Weights.DEFAULT.transforms()
    rows = pq.read_table("kept.parquet").to_pylist()
    assert {row["label"] for row in rows} == {0, 24, 281}
    for row in rows[::4]:
        with torch.no_grad(), Image.open(here / "animals" / row["path"]) as image:
            expected = net(transform(image)[None]).softmax(1)[0]
        np.testing.assert_allclose(row["probabilities"], expected, rtol=1e-3)


def test_prepared_images_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    prepared = write_prepared(tmp_path / "prepared", images, [0, 1, 2], 1000)
    name = f"{OWN}:imagenet"
    kept = tmp_path / "kept.parquet"
    run(monkeypatch, name, "--prepared", prepared, "--crops", "centre", "--out", kept)
    assert f"{name} on 3 images (val, centre crop)" in capsys.readouterr().out
    rows = pq.read_table(kept).to_pylist()
    assert [row["label"] for row in rows] == [0, 1, 2]
    view = library.see(own_network.imagenet(), images[0][16:240, 16:240])
    np.testing.assert_allclose(rows[0]["probabilities"], view.probabilities, rtol=1e-4)
    with pytest.raises(SystemExit, match=r"reads images of 36 pixels, and those .* have 256: --im"):
        run(monkeypatch, f"{OWN}:residual", "--prepared", prepared)


def test_of_a_network_without_names_the_order_of_the_folders_counts(here: Path) -> None:
    found = Labelled.of(here / "animals", 32, "bilinear")
    assert found.classes == ["0", "dog", "owl"]
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert found.paths_of(np.array([4])) == ["dog/0.png"]
    assert "top-1" in evaluate.score(
        [f"{OWN}:branched"], None, "val", "centre", None, folder=here / "animals"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([f"{OWN}:residual"], f"{OWN}:residual was not trained here: name images, as --images"),
        (["W", "--weights", "a.pt", "--images", "animals"], "--weights a.pt goes with one network"),
        ([f"{OWN}:residual", "--images", "other"], "other: 'cow' names none of the network's 3"),
        ([f"{OWN}:residual", "--images", "none"], "none is not a folder: name one with a folder"),
        ([f"{OWN}:residual", "--images", "animals/owl"], "holds 4 images .* and no class folders"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: list[str], message: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(here / "weights.pt")
    for name in ("cow", "dog"):
        (here / "other" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40)).save(here / "other" / name / "0.png")
    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        run(monkeypatch, *({"W": "weights.pt"}.get(word, word) for word in words))
