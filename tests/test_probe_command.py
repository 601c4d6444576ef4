"""`python -m zfrepro.probe` on class folders: table 7 of a network of one's own."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.look import own_network
from tests.run_folders import save_weights
from zfrepro import probe
from zfrepro.data.pictures import Labelled
from zfrepro.transfer import protocol
from zfrepro.transfer.probe import accuracy

OWN = "tests.look.own_network:residual"
SIZES = {"blue": 9, "green": 8, "red": 11}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class folders of noise, a little more of one colour each."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for channel, (name, count) in enumerate(SIZES.items()):
        (tmp_path / "colours" / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(200, size=(36, 40, 3), dtype=np.uint8)
            pixels[..., channel] += 40
            Image.fromarray(pixels).save(tmp_path / "colours" / name / f"{number}.png")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["probe", *map(str, words)])
    probe.main()


def test_each_block_is_probed_as_table_7_probes_layers(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "colours", OWN, "--folds", 3)
    said = capsys.readouterr().out
    assert said.startswith("colours: 28 images of 3 classes; 4 of each train, 16 others are tested")
    assert "(chance 33.3)" in said
    table = pd.read_csv("colours.probe.csv", dtype={"layer": str})
    network = own_network.residual()
    assert table["layer"].unique().tolist() == network.blocks
    assert table["fold"].tolist() == [0, 1, 2] * 3
    images = Labelled.of(here / "colours", 36, "bilinear")
    labels = protocol.Labels.of(images.labels, images.classes)
    with torch.no_grad():
        net = network.trained.net[:5]
        features = net(network.inputs(images.read(np.arange(28), crop=32))).flatten(1)
    np.save("features.npy", features)
    expected = [
        accuracy(
            here / "features.npy", protocol.draw(labels, 4, 50, k, 0), labels, "svm",
            [0.1, 1, 10, 100], torch.device("cpu"),
        )[0]
        for k in range(3)
    ]  # fmt: skip
    assert table[table["layer"] == "4"]["accuracy"].tolist() == pytest.approx(expected, abs=1e-3)
    assert re.search(rf"4 +6 numbers  {np.mean(expected):.1f} ± ", said)


def test_chains_are_probed_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_weights(here / "weights.pt")
    run(
        monkeypatch, "colours", "weights.pt", "--layers", "conv1", "--classifier", "softmax",
        "--images-per-class", 5, "--folds", 1, "--out", "mine.csv",
    )  # fmt: skip
    assert "1 fold\nmine.csv: accuracy in percent, softmax" in capsys.readouterr().out
    assert pd.read_csv("mine.csv")["images_per_class"].tolist() == [5]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["colours", OWN, "--images-per-class", "8"], "colours/green holds 8 images: with 8 of"),
        (["colours", OWN, "--layers", "conv9"], "there is no layer conv9; there are 0, 1.relu"),
        (["colours/red", OWN], "colours/red holds 11 images .* and no class folders"),
        (["colours", OWN, "--out", "notes.csv"], r"notes\.csv is there, and was not written by"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], message: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "notes.csv").write_text("mine")
    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        run(monkeypatch, *words)
