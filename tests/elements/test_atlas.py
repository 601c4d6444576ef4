"""The atlas: its numbers are those of the strongest activations, every map has a picture, and the
quiz never shows what it asks for."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines import element
from tests.browser import violations
from tests.project import Project
from zfrepro import config
from zfrepro.data.store import PreparedSet
from zfrepro.elements.atlas import stage
from zfrepro.elements.context import Context
from zfrepro.elements.features import measure as features
from zfrepro.elements.features.plot import compose
from zfrepro.interp.deconv import Deconvnet
from zfrepro.interp.top_activations import strongest, to_table
from zfrepro.models.convnet import build
from zfrepro.results import Results
from zfrepro.training.trained import Trained, centred

CROP = 56
SETTINGS = {"network": "one", "split": "val", "layers": ["conv1", "conv5"]}


@pytest.fixture(scope="module")
def made(prepared_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The stage's folder on a small random network, the network, its images and its table."""
    folder = tmp_path_factory.mktemp("atlas")
    (folder / "prepared").mkdir()
    source = prepared_project.root / "results" / "prepared" / "source"
    (folder / "prepared" / "source").symlink_to(source)
    prepared = PreparedSet.open(source)
    spec = config.compose(["+experiment=tab3_zfnet", "profile=smoke", "model.width=0.125"])["model"]
    net = build(**spec, classes=len(prepared.classes), crop=CROP, seed=0)
    with torch.no_grad():
        net.conv1.bias[3] = -1e6  # a map that never fires
    mean = torch.from_numpy(prepared.mean)
    trained = Trained(net.eval(), mean, 64, CROP, list(prepared.classes), "bilinear")
    split = prepared.split("val")
    pixels = centred(trained, split.read(np.arange(len(split)), crop=CROP))
    chain = Deconvnet(net).chain
    table = to_table(strongest(chain, chain.layers, [(np.arange(len(split)), pixels)]))
    (folder / "features").mkdir()
    table.to_parquet(folder / "features" / "one.parquet", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "trained", lambda self, name: trained)
        element.run("atlas", SETTINGS, Results(folder))
    return folder / "atlas", trained, split, table


def test_every_number_is_that_of_the_table(made: Any) -> None:
    folder, trained, split, table = made
    for layer in SETTINGS["layers"]:
        html = (folder / f"{layer}.html").read_text()
        figures = dict(re.findall(r'<figure id="map-(\d+)">(.*?)</figure>', html, re.DOTALL))
        rows = table[table["layer"] == layer]
        assert [int(number) for number in figures] == sorted(rows["map"].unique())
        for number, content in figures.items():
            mine = rows[rows["map"] == int(number)].sort_values("rank")
            shown = re.findall(r"<li>(.*?): (\S+)</li>", content)
            paths = split.paths_of(mine["image"].to_numpy())
            names = [
                trained.classes[label][1].split(",")[0] for label in split.labels[mine["image"]]
            ]
            assert shown == [
                (f"{name}, {path}", f"{value:.4g}")
                for name, path, value in zip(names, paths, mine["value"], strict=True)
            ]
    assert "Silent for all of them: 3" in (folder / "conv1.html").read_text()


def test_every_map_has_the_picture_of_figure_2(made: Any) -> None:
    folder, trained, split, table = made
    panel = features.panels(
        Deconvnet(trained.net), table, "conv5", [4],
        read=lambda numbers: centred(trained, split.read(numbers, crop=CROP)),
        show=lambda numbers: split.read(numbers, crop=CROP).astype(np.float32) / np.float32(255),
    )[0]  # fmt: skip
    expected = 255 * compose(panel)
    found = np.asarray(Image.open(folder / "conv5" / "4.webp").convert("RGB"), np.float32)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6  # of 255: what WebP loses
    for page in folder.glob("*.html"):
        for target in re.findall(r'(?:src|href)="([^"#]+)', page.read_text()):
            assert target == "../report/index.html" or (folder / target).is_file(), target
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 2e6


def test_layers_may_be_left_out(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, trained, _, _ = made
    monkeypatch.setattr(Context, "trained", lambda self, name: trained)
    none = folder.parent / "none"
    stage.run(Context(SETTINGS | {"layers": []}, Results(folder.parent), none))
    assert {path.name for path in none.iterdir()} == {"index.html", "quiz.html"}


@pytest.mark.browser
def test_the_quiz_asks_for_an_image_that_it_does_not_show(browser: Any, made: Any) -> None:
    folder = made[0]
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{(folder / 'quiz.html').as_uri()}#layer=conv5&shown=both&seed=7")
    page.locator("#verdict", has_text="Choose one").wait_for()
    rounds = page.evaluate("[...Array(200).keys()].map(number => plan('conv5', 7, number))")
    assert len({each["map"]["map"] for each in rounds}) > 5
    assert 60 < sum(each["left"] for each in rounds) < 140
    for each in rounds:
        asked = each["map"]["images"][each["held"]]
        other = each["other"]["images"][each["distractor"]]
        assert other not in each["map"]["images"]
        assert asked != other
    first = rounds[0]
    page.keyboard.press("ArrowLeft" if first["left"] else "ArrowRight")
    page.get_by_text(f"Right: it is map {first['map']['map']};").wait_for()
    assert page.locator("#score tbody tr").inner_text().split()[-2:] == ["100", "%"]
    page.locator("#verdict", has_text="Right").wait_for()
    text = page.evaluate("table()")
    assert text.splitlines()[1].startswith(f"conv5,both,7,0,{first['map']['map']},")
    assert not errors
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "conv5", "quiz"])
def test_its_pages_are_accessible_and_fit_a_phone(
    browser: Any, made: Any, name: str, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto((made[0] / f"{name}.html").as_uri())
    assert violations(page) == set()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()


def test_an_address_is_a_map(made: Any) -> None:
    cells = json.loads(re.search(r'id="cells">(.*?)</script>', _quiz(made[0]))[1])
    assert set(cells) <= {"conv1", "conv5"}
    for layer, each in cells.items():
        for one in each["maps"]:
            assert one["file"] == f"{layer}/{one['map']}.webp"
            assert len(set(one["images"])) == 9


def _quiz(folder: Path) -> str:
    return (folder / "quiz.html").read_text()
