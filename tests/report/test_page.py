"""The report page: whole, of parts, of hostile names; every number leads to its command."""

import base64
import hashlib
import io
import itertools
import json
import re
import shlex
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from pipelines import __main__ as pipelines
from tests.report.studies import CLAIMS, MARKS, SECOND, WIDE, ZFNET, write_study
from zfrepro import paper
from zfrepro.fingerprint import _source
from zfrepro.report.page import claims, curves, others, template
from zfrepro.report.page.build import Page, build
from zfrepro.results import Results, ResultsError

VOID = {"meta", "link", "img", "br", "line", "circle", "rect", "hr"}
STAGES = pipelines.read()["stages"]


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list[str] = field(default_factory=list)  # tags around it


class Reader(HTMLParser):
    """All elements of a page, each with the text in it; the page must be well nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        around = [each.tag for each in self._open]
        element = Element(tag, {name: value or "" for name, value in attrs}, inside=around)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [e for e in self.elements if e.tag == tag and wanted.items() <= e.attributes.items()]

    def with_id(self, name: str) -> Element:
        (element,) = (e for e in self.elements if e.attributes.get("id") == name)
        return element

    def number(self, key: str) -> Element:
        (element,) = self.all("a", data_key=key)
        return element


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(results: Path) -> Page:
    return build(results)


@pytest.fixture(scope="module")
def read(page: Page) -> Reader:
    return Reader(page.html)


def test_landmarks_headings_and_tables_are_marked_up(read: Reader) -> None:
    assert len(read.all("main")) == len(read.all("h1")) == len(read.all("nav")) == 1
    levels = [int(e.tag[1]) for e in read.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    names = [e.attributes["id"] for e in read.elements if "id" in e.attributes]
    assert len(names) == len(set(names))
    for link in read.all("a"):
        if link.attributes["href"].startswith("#"):
            read.with_id(link.attributes["href"][1:])
    for header in read.all("th"):
        assert header.attributes["scope"] in ("row", "col", "colgroup")
    assert all(image.attributes["alt"] for image in read.all("img") if "figure" in image.inside)
    assert all("tabindex" in e.attributes for e in read.all("div", **{"class": "scroll"}))


def test_nothing_comes_from_elsewhere(page: Page, read: Reader, results: Path) -> None:
    for element in read.elements:
        for name in ("src", "srcset", "action", "data", "poster", "style"):
            assert element.attributes.get(name, "data:").startswith("data:"), element
        assert not any(name.startswith("on") for name in element.attributes)
        href = element.attributes.get("href", "#")
        assert not re.match(r"(?i)\s*(https?:|//|javascript:|/)", href), href
    assert all(e.attributes["href"] == "data:," for e in read.all("link"))
    style, script = read.all("style")[0].text, read.all("script")[0].text
    assert "@import" not in style
    assert "url(" not in style
    policy = read.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]
    assert "default-src 'none'" in policy
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert str(results.parent) not in page.html  # the same study, the same page


def test_the_answer_stands_first(read: Reader) -> None:
    (answer,) = read.all("p", **{"class": "answer"})
    assert " ".join(answer.text.split()) == (
        "Of 2 claims of the paper, 1 is reproduced, 1 is not tested at the size of this run."
    )
    facts = {e.text for e in read.all("dd")}
    assert {"smoke", "300 train, 100 val", "0.25 of the paper’s", "16", "3, seeds 0, 1"} <= facts
    claim = read.with_id("claim-figure5-scale")
    assert "+1.25" in claim.text
    assert "[+0.500, +2.00]" in claim.text
    assert "the paper’s: +2.00" in " ".join(claim.text.split())
    assert "there is no such set" in read.with_id("claim-table4-best").text


def test_an_interval_is_drawn_to_scale() -> None:
    found = claims.drawing(CLAIMS[0])  # 1.25 [0.5, 2.0], the paper's 2.0: the ends are +-2.3
    assert found == claims.Drawing(
        effect=pytest.approx(100 + 100 * 1.25 / 2.3, abs=0.06),
        low=pytest.approx(100 + 100 * 0.5 / 2.3, abs=0.06),
        high=pytest.approx(100 + 100 * 2.0 / 2.3, abs=0.06),
        paper=pytest.approx(100 + 100 * 2.0 / 2.3, abs=0.06),
        margin=None,
    )
    assert claims.drawing(CLAIMS[1]) is None


def test_numbers_stand_beside_the_papers_and_lead_to_their_commands(read: Reader) -> None:
    expected = {
        f"table3/{ZFNET}/val_top1": ("18.0", f"python -m zfrepro.evaluate {ZFNET} --split val"),
        f"table3/{ZFNET}/train_top1": (
            "16.8", f"python -m zfrepro.evaluate {ZFNET} --split train --sample",
        ),
        "table2/zfnet_1_convnet/val_top1": (
            "18.4", f"python -m zfrepro.evaluate {ZFNET} {SECOND} --split val",
        ),
        "table2/zfnet_wide_1_convnet_b/change": ("−1.4", "dvc repro --single-item --force tables"),
        "table4/pretrained/acc_15": (
            "55.7", "dvc repro --single-item --force transfer@caltech101 tables",
        ),
        "table1/nose/conv5": (
            "0.286",
            "dvc repro --single-item --force correspondence && cat results/tables/table1.md",
        ),
        "figure5//scale/fc7": (
            "0.255",
            "dvc repro --single-item --force invariance && cat results/figures/figure5/report.md",
        ),
    }  # fmt: skip
    for key, (shown, command) in expected.items():
        number = read.number(key)
        assert number.text == shown
        assert number.attributes["data-command"] == command
    row = read.with_id(f"table3-{ZFNET}").text
    assert "38.4" in row
    assert "[15.7, 20.4]" in row
    assert "40.7" in read.with_id("table2-krizhevsky_1_convnet").text


def test_every_number_has_a_recipe_that_holds_its_command(page: Page, read: Reader) -> None:
    numbers = read.all("a", **{"class": "number"})
    assert len(numbers) == len(page.numbers) + 1  # and one claim's effect
    lines = {}
    for element in read.all("a", **{"class": "number"}):
        recipe = read.with_id(element.attributes["href"][1:])
        command = element.attributes.get("data-command")
        if command and not recipe.text.count(command):
            lines[element.attributes["data-key"]] = command
    assert not lines
    zfnet = read.with_id(f"recipe-{ZFNET.replace('_', '-')}").text
    filed = "experiment table3, run tab3_zfnet"
    for fact in (MARKS[ZFNET], "abc123", "d" * 64, filed, "width: 0.25", "torch 2.14.1"):
        assert fact in zfnet
    wide = read.with_id(f"recipe-{WIDE.replace('_', '-')}").text
    assert "the stage is not in dvc.lock" in wide
    assert "the stage is not in dvc.lock" not in zfnet


def test_commands_name_stages_and_modules_that_exist(read: Reader) -> None:
    sets = {name: set(stage["matrix"]["set"]) for name, stage in STAGES.items()
            if "set" in stage.get("matrix", {})}  # fmt: skip
    seen = set()
    for code in (e.text for e in read.all("code") if "pre" in e.inside):
        for command in code.split(" && "):
            words = shlex.split(command)
            if words[:2] == ["dvc", "repro"]:
                for stage in words[4:]:
                    name, _, item = stage.partition("@")
                    assert name in STAGES
                    assert not item or item in sets[name]
                    seen.add(name)
            elif words[:2] == ["python", "-m"]:
                assert _source(words[2]) is not None
    assert {"tables", "invariance", "correspondence", "transfer", "claims"} <= seen


def test_pictures_are_small_and_the_whole_file_is_linked(read: Reader) -> None:
    images = {e.attributes["alt"]: e.attributes for e in read.all("img") if "figure" in e.inside}
    large, small = images.values()
    assert (large["width"], large["height"]) == ("1500", "375")
    assert (small["width"], small["height"]) == ("300", "200")
    kind, _, data = large["src"].partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (1500, 375)
    assert "scale/fc7 0.255" in next(iter(images))
    targets = [e.attributes["href"] for e in read.all("a", **{"class": "zoom"})]
    assert targets == ["../figures/figure5/figure5.png", "../figures/figure5/means.png"]


def test_what_is_missing_is_said(read: Reader, tmp_path: Path) -> None:
    text = " ".join(e.text for e in read.all("p", **{"class": "missing"}))
    for name in ("table5", "table6", "table7"):
        assert f"results/tables/{name}.csv" in text
    for name in ("figure2", "figure4", "figure9", "overlap", "confusion"):
        assert f"results/figures/{name}/" in text
    nothing = Reader(build(tmp_path / "results").html)
    assert "No claim has been judged yet" in nothing.with_id("main").text
    assert "No network has been trained yet" in nothing.with_id("main").text
    assert (
        len(nothing.all("p", **{"class": "missing"})) == 7 + 9 + 1 + 1
    )  # tables, figures, claims, trainings


def test_a_table_without_numbers_of_ours_shows_the_papers(tmp_path: Path) -> None:
    results = write_study(tmp_path)
    path = results / "tables" / "table4.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:2]))
    read = Reader(build(results).html)
    assert "Not measured at this size" in read.with_id("table4").text
    assert "81.4" in read.with_id("table4-bo_2013").text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    results = write_study(tmp_path, classes=(evil,), report=f"{evil}\n\n| a |\n| --- |\n| {evil} |")
    table = results / "tables" / "table4.csv"
    table.write_text(table.read_text().replace("pretrained", '"<script>alert(1)</script>"'))
    claim = {**CLAIMS[0], "claim": evil, "note": evil, "unit": "<b>"}
    (results / "report" / "claims.json").write_text(
        json.dumps({"profile": evil, "claims": [claim]})
    )
    read = Reader(build(results).html)
    assert len(read.all("script")) == 1
    assert not [e for e in read.all("img") if e.attributes["src"] == "x"]
    assert evil in read.with_id("claim-figure5-scale").text
    assert "<img src=x" in read.with_id("figure5").text


def test_broken_files_are_named(tmp_path: Path) -> None:
    results = write_study(tmp_path)
    path = results / "report" / "claims.json"
    for text, message in (
        ("{", "claims.json is no JSON"),
        ("{}", "claims.json has no 'claims'"),
        ('{"claims": [{"verdict": "maybe"}]}', "verdict 'maybe'"),
    ):
        path.write_text(text)
        with pytest.raises(ResultsError, match=message):
            build(results)


def test_reproductions_are_judged_by_their_numbers() -> None:
    rows = {row["row"]: float(row["val_top1"]) for row in paper.reproductions()}
    ours, theirs = rows["imgclsmob_alexnet"], rows["imgclsmob_zfnet"]
    assert ours < theirs
    assert (
        f"imgclsmob: AlexNet {ours:g}, ZFNet {theirs:g}; AlexNet is ahead" in others.sentences()[1]
    )
    assert others.sentences()[0].startswith("the paper: AlexNet 40.5, ZFNet 38.4; ZFNet is ahead")
    assert "ahead of 2 of 3 ZFNets" in others.spread()
    better = others.Comparison("one", 30.0, 29.0)
    assert (better.ahead, better.points) == ("ZFNet", 1.0)


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0, "0"), (-21.2, "−21.2"), (0.22, "+0.220"), (123.4, "+123")]
)
def test_effects_have_three_digits(value: float | None, text: str) -> None:
    assert template.effect(value) == text


def test_trainings_that_stay_at_chance_are_named(tmp_path: Path) -> None:
    results = write_study(tmp_path, classes=tuple("abcdefghij"))
    losses = [2.3, 2.25, 2.1, *[1.0] * 13]  # a guess among ten has 2.30, and 95 % of it is 2.19
    curve = "".join(f"{i},{loss},50\n" for i, loss in enumerate(losses, 1))
    (results / f"runs/{ZFNET}/epochs.csv").write_text(f"epoch,train/loss,val/top1\n{curve}")
    found = curves.starts(Results(results))
    (late,) = (each for each in found if each.name == ZFNET)
    per_epoch = 300 // 64
    assert (late.epoch, late.steps, late.total, late.long) == (
        3,
        2 * per_epoch,
        16 * per_epoch,
        True,
    )
    (results / f"runs/{ZFNET}/epochs.csv").write_text(f"epoch,train/loss\n0,1\n{curve}")
    (early,) = (each for each in curves.starts(Results(results)) if each.name == ZFNET)
    assert (early.epoch, early.steps, early.long) == (1, 0, False)
    (results / f"runs/{ZFNET}/epochs.csv").write_text(f"epoch,train/loss,val/top1\n{curve}")
    html = build(results).html
    assert "spent more than a tenth of their steps there" in html
    assert f"{2 * per_epoch} of {16 * per_epoch}" in html


def test_the_page_tells_how_the_rules_have_changed(tmp_path: Path) -> None:
    html = build(write_study(tmp_path)).html
    assert "2026-11-24</time>: thirty claims and their rules, before any verdict" in html
