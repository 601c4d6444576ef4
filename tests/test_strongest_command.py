"""`python -m zfrepro.strongest` on a folder of pictures, for chains and networks with branches."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.look import own_network
from tests.run_folders import save_weights
from zfrepro import library, strongest
from zfrepro.data.pictures import Folder

OWN = "tests.look.own_network:residual"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of twelve pictures, two of them deeper, with what is none among them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for number in range(12):
        name = f"more/{number}.png" if number > 9 else f"{number}.png"
        pixels = rng.integers(256, size=(40 + number, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("none")
    (tmp_path / "photos" / "._0.png").write_text("what macOS leaves")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["strongest", *map(str, words)])
    strongest.main()


def test_the_table_has_the_highest_peaks_of_every_map(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "photos", OWN)
    table = pd.read_csv(here / "photos.strongest" / "strongest.csv", dtype={"layer": str})
    network = own_network.residual()
    assert table["layer"].unique().tolist() == network.blocks == ["1", "3", "4"]
    folder = Folder.of(here / "photos", 36, "bilinear")
    peaks = library.peaks(network, folder, ["3"])["3"]
    for number in range(6):
        mine = table[(table["layer"] == "3") & (table["map"] == number)]
        order = np.argsort(-peaks[:, number], kind="stable")[:9]
        names = [str(folder.paths[i].relative_to(here / "photos")) for i in order]
        assert mine["image"].tolist() == names[: len(mine)]
        np.testing.assert_allclose(mine["value"], peaks[order, number][: len(mine)], rtol=1e-4)
    said = capsys.readouterr().out
    assert said.startswith("photos.strongest/strongest.csv: ")
    with Image.open(here / "photos.strongest" / "3.png") as image:
        assert min(image.size) > 300


def test_an_atlas_has_every_map_and_no_broken_link(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # the command may write over what it has written
        run(
            monkeypatch, "photos", OWN, "--layers", "1.relu:2", "1.conv", "--maps", 4, 1,
            "--atlas", "--out", "seen",
        )  # fmt: skip
    made = here / "seen"
    page = (made / "1.relu-2.html").read_text()
    assert len(re.findall(r'<figure id="map-\d+">', page)) == 6
    assert "more/11.png" in page
    for html in made.glob("*.html"):
        for target in re.findall(r'(?:src|href)="([^"#]+)', html.read_text()):
            assert (made / target).is_file(), target


def test_chains_are_drawn_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_weights(here / "weights.pt")
    run(monkeypatch, "photos", "weights.pt", "--layers", "conv1", "--count", 2)
    assert re.search(r"conv1\.png: maps \d, \d; \d of 8 maps fire", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", OWN], "nothing is not a folder: name one that holds pictures"),
        (["empty", OWN], "empty holds no pictures"),
        (["photos", OWN, "--layers", "conv9"], "there is no layer conv9; there are 0, 1.relu, "),
        (["photos", OWN, "--layers", "0", "--maps", "6"], "0 has no map 6: it has 6, numbered 0"),
        (["photos", OWN, "--out", "photos"], "photos is there, and was not written by this"),
        (["photos", OWN, "--out", "notes.txt"], "notes.txt is a file: name a folder"),
        (["broken", OWN], r"broken/a\.jpg cannot be read: not an image"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], message: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("empty", "broken"):
        (here / name).mkdir()
    (here / "broken" / "a.jpg").write_text("no picture")
    (here / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        run(monkeypatch, *words)
    assert (here / "notes.txt").read_text() == "mine"
