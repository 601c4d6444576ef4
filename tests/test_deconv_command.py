"""`python -m zfrepro.deconv` on a picture of any size, and on what is none."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.run_folders import save_weights
from zfrepro import deconv


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_weights(tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(256, size=(50, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.jpg")
    return tmp_path / "cat.jpg"


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> None:
    monkeypatch.setattr(sys, "argv", ["deconv", *map(str, args)])
    deconv.main()


def test_the_strongest_maps_come_first(
    weights: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "seen.png"
    run(monkeypatch, picture, weights, "--layer", "conv1", "--top", 5, "--out", out)
    lines = capsys.readouterr().out.splitlines()
    one = r"\w[\w ]* 0\.\d{3}"
    assert re.fullmatch(rf"cat\.jpg: predicted {one}, {one}, {one} \(chance 0\.250\)", lines[0])
    assert lines[1] == f"{out}:"
    values = [float(line.split(", ")[1].split()[0]) for line in lines[2:]]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    with Image.open(out) as image:
        assert min(image.size) > 300


def test_maps_that_are_asked_for_are_shown(
    weights: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, picture, weights, "--layer", "fc2", "--maps", 3, 1)
    found = capsys.readouterr().out
    assert "fc2 map 3" in found
    assert "fc2 map 1" in found
    assert (tmp_path / "cat.fc2.png").is_file()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.jpg", "W"], "none.jpg is not there: name a picture .JPEG, PNG"),
        ([".", "W"], ". is no file: name a picture"),
        (["W", "W"], r"weights\.pt cannot be read"),
        (["P", "nothing"], "nothing is not a file"),
        (["P", "P"], r"cat\.jpg is cut off or no file of torch\.save"),
        (["P", "W", "--layer", "conv5"], "no layer 'conv5'; there are conv1"),
        (["P", "W", "--layer", "conv1", "--maps", "8"], "conv1 has no map 8: it has 8"),
    ],
)
def test_what_is_wrong_is_one_line(
    args: list[str], message: str, weights: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [{"W": str(weights), "P": str(picture)}.get(word, word) for word in args]
    with pytest.raises(SystemExit, match=rf"^error: .*{message}"):
        run(monkeypatch, *words)
