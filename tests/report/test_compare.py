"""`python -m zfrepro.report`: two studies compared on made-up numbers, and what it says of one."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from pipelines import report as stage
from tests.report.studies import ZFNET, write_study
from zfrepro.report import __main__ as command
from zfrepro.report import compare
from zfrepro.report.compare import BEYOND, GONE, NEW, OPEN, SAME, WITHIN, Change, Report, Value
from zfrepro.report.page.build import summarise
from zfrepro.results import Results, ResultsError


def value(number: float, low: float | None = None, high: float | None = None) -> Value:
    return Value(number, low, high)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two checkouts with a report each: in the second one number moved far, one a little."""
    folders = [tmp_path_factory.mktemp(name) for name in "ab"]
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            results = write_study(folder)
            if folder == folders[1]:
                change(results / "tables/table3.csv", "38.4,18,15.7,20.4", "38.4,28,25.7,30.4")
                change(results / "tables/table4.csv", "55.69", "56.69")
                change(results / "figures/figure5/measures.json", '"images": 60', '"images": 61')
                change(results / "report/claims.json", "reproduced", "inconclusive", 1)
                (results / "tables/table1.csv").unlink()
            patch.setattr(stage, "RESULTS", results)
            patch.setattr(stage, "OUT", results / "report")
            patch.setattr(sys, "argv", ["report"])
            stage.main()
    return folders[0], folders[1]


def change(path: Path, old: str, new: str, times: int = -1) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(f'"verdict": "{old}"', f'"verdict": "{new}"', times)
                    if "claims" in path.name else text.replace(old, new))  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        (value(1, 0, 2), value(1, 0, 3), SAME),
        (value(1, 0, 2), value(2.5, 1.9, 3), WITHIN),
        (value(1, 0, 2), value(2.5, 2.1, 3), BEYOND),
        (value(2.5, 2.1, 3), value(1, 0, 2), BEYOND),
        (value(1), value(2, 1, 3), OPEN),
        (value(1), None, GONE),
        (None, value(1), NEW),
    ],
)
def test_beyond_is_where_intervals_have_nothing_in_common(
    a: Value | None, b: Value | None, state: str
) -> None:
    assert Change("x", a, b).state == state


def test_what_moved_is_found_wherever_the_report_lies(studies: tuple[Path, Path]) -> None:
    first, second = studies
    found = {c.key: c for c in compare.changes(Report(first), Report(second / "results"))}
    assert found[f"table3/{ZFNET}/val_top1"].state == BEYOND
    assert found[f"table3/{ZFNET}/val_top1"].difference == pytest.approx(10)
    assert found["table4/pretrained/acc_15"].state == WITHIN
    assert found["figure5//images"].state == OPEN
    assert found["table1/nose/conv5"].state == GONE
    assert found["claims/figure5-scale/effect"].state == SAME
    again = compare.changes(Report(first / "results/report/index.html"), Report(first))
    assert {each.state for each in again} == {SAME}
    (turn,) = compare.turns(Report(first), Report(second))
    assert (turn.id, turn.a, turn.b) == ("figure5-scale", "reproduced", "inconclusive")
    assert next(iter(found.values())).state == BEYOND  # first what matters most


def test_a_study_of_another_size_says_so(studies: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "report"
    shutil.copytree(studies[0] / "results" / "report", other)
    summary = json.loads((other / "summary.json").read_text())
    (other / "summary.json").write_text(json.dumps({**summary, "epochs": 70}))
    assert compare.sizes(Report(studies[0]), Report(other)) == [("epochs", "16", "70")]


def test_verdicts_of_one_report_alone_are_counted(
    studies: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(studies[0] / "results" / "report", tmp_path / "report")
    found = json.loads((tmp_path / "report/claims.json").read_text())
    found["claims"].append({**found["claims"][0], "id": "another"})
    (tmp_path / "report/claims.json").write_text(json.dumps(found))
    said = compare.verdicts(Report(studies[0]), Report(tmp_path))
    assert said == "2 of 2 verdicts are the same; 1 more in one report alone"


def test_studies_say_what_they_were_computed_with(tmp_path: Path) -> None:
    results = write_study(tmp_path)
    path = results / f"runs/{ZFNET}/run.json"
    recipe = json.loads(path.read_text())
    path.write_text(json.dumps(recipe | {"threads": 2, "machine": "x", "instructions": "AVX2"}))
    assert "x, AVX2, threads: 2" in summarise(Results(results))["computed"]


def test_the_command_writes_text_csv_and_a_page(
    studies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table, page = tmp_path / "out.csv", tmp_path / "out.html"
    words = ["compare", *map(str, studies), "--csv", str(table), "--html", str(page)]
    monkeypatch.setattr(sys, "argv", ["report", *words])
    command.main()
    said = capsys.readouterr().out
    assert "1 number moved beyond their intervals" in said
    assert f"table3/{ZFNET}/val_top1  18 [15.7, 20.4]  ->  28 [25.7, 30.4]  (+10)" in said
    assert "1 of 2 verdicts are the same\nfigure5-scale: reproduced in A, inconclusive in B" in said
    rows = {row["key"]: row for row in csv.DictReader(io.StringIO(table.read_text()))}
    row = rows[f"table3/{ZFNET}/val_top1"]
    assert (row["state"], row["value_a"], row["low_b"]) == ("beyond", "18.0", "25.7")
    assert len(rows) == len(compare.changes(*map(Report, studies)))
    assert f"table3/{ZFNET}/val_top1" in page.read_text()


def test_errors_name_the_file(
    studies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "compare", str(tmp_path), str(studies[0])])
    with pytest.raises(SystemExit, match=r"^error: no report in .*numbers\.csv"):
        command.main()
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match=r"numbers\.csv is not a list of numbers .*'element'"):
        _ = Report(tmp_path).numbers


def test_show_prints_verdicts_and_where_the_page_is(
    studies: tuple[Path, Path], tmp_path: Path
) -> None:
    results = studies[0] / "results"
    said = command.show(results)
    assert "✓ reproduced" in said
    assert "+1.25 [+0.5, +2] points" in said
    assert "2 claims: 1 reproduced, 1 not tested" in said
    assert str(results / "report" / "index.html") in said
    nothing = command.show(tmp_path)
    assert "no claim is judged yet: `dvc repro claims`" in nothing
    assert "`dvc repro report`" in nothing


def test_a_machine_checks_itself_against_the_project(
    studies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, reference = studies[0] / "results", tmp_path / "reference"
    shutil.copytree(results / "report", reference)
    monkeypatch.setattr(command, "REFERENCE", reference)
    said, agrees = command.check(results)
    assert agrees
    assert "is reproduced here: 0 of " in said
    for state, verdict in ((False, "opposite"), (True, "inconclusive")):
        text = (results / "report" / "claims.json").read_text()
        turned = text.replace('"verdict": "reproduced"', f'"verdict": "{verdict}"')
        (reference / "claims.json").write_text(turned)
        assert command.check(results)[1] is state
    summary = json.loads((reference / "summary.json").read_text())
    (reference / "summary.json").write_text(json.dumps(summary | {"profile": "paper"}))
    with pytest.raises(ValueError, match="only the same study can be checked"):
        command.check(results)
