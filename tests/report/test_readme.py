import json
from pathlib import Path

import pytest

from tools import readme
from zfrepro.elements.errors import tables as networks
from zfrepro.elements.errors.tables import TOP1, TOP5


def test_blocks_are_filled_and_the_rest_is_kept() -> None:
    text = "before\n<!-- errors -->\nold\nlines\n<!-- /errors -->\nafter\n"
    filled = readme.fill(text, {"errors": "| new |\n"})
    assert filled == "before\n<!-- errors -->\n| new |\n<!-- /errors -->\nafter\n"
    assert readme.fill(filled, {"errors": "| new |\n"}) == filled


def test_a_missing_block_is_named() -> None:
    with pytest.raises(ValueError, match="<!-- errors -->"):
        readme.fill("nothing", {"errors": ""})


def test_each_block_stands_on_one_page() -> None:
    pages = [readme.named((readme.PROJECT / page).read_text()) for page in readme.PAGES]
    assert sorted(name for names in pages for name in names) == sorted(readme.BLOCKS)


def test_verdicts_and_plan_are_counted(tmp_path: Path) -> None:
    (tmp_path / "results" / "report").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    claims = [{"verdict": each} for each in ("reproduced", "inconclusive", "reproduced")]
    (tmp_path / "results" / "report" / "claims.json").write_text(json.dumps({"claims": claims}))
    counted = "Of the paper's 3 claims: **2 reproduced**, **1 inconclusive**.\n"
    assert readme.verdicts(tmp_path) == counted
    (tmp_path / "docs" / "plan_paper.csv").write_text(
        "stage,images,flops,disk_bytes,stage_seconds\n"
        "tables,0,0,0,1800\ntrain@a,1000,2e15,3e9,3600\ntrain@b,500,1e15,1e9,1800\n"
    )
    assert readme.plan(tmp_path).splitlines()[2:] == [
        "| others | 0 | 0.0 | 0 | 0.5 |",
        "| train, 2 of them | 1,500 | 3.0 | 4 | 1.5 |",
        "| all | 1,500 | 3.0 | 4 | 2 |",
    ]


def test_ratios_are_found_at_any_depth(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    result = {"ours / theirs": 7.123, "seconds": 1.0, "small": {"a / b": 2, "rounds": [1]}}
    (folder / "training_step.json").write_text(json.dumps(result))
    assert readme.benchmarks(tmp_path).splitlines()[2:] == [
        "| training step | ours / theirs | 7.12 | 7.12 times faster |",
        "| training step | small: a / b | 2 | 2 times faster |",
    ]


@pytest.mark.parametrize(
    ("benchmark", "ratio", "words"),
    [
        ("deconv", 0.8, "1.25 times slower"),
        ("overhead", 1.07, "1.07 times slower"),
        ("overlap", 0.5, "2 times faster"),
        ("memory", 1.02, "1.02 times the memory"),
    ],
)
def test_a_ratio_says_which_is_faster(benchmark: str, ratio: float, words: str) -> None:
    assert (readme.PROJECT / "benchmarks" / f"{benchmark}.py").is_file()
    assert readme.in_words(benchmark, ratio) == words


def test_tables_come_from_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "tables"
    folder.mkdir(parents=True)
    columns = networks.columns((TOP1, TOP5))
    line = dict.fromkeys(columns, "") | {
        "row": "net", "parameters": "10", "epochs": "4", "seeds": "0", "fingerprint": "ab",
        "paper_val_top1": "38.4", "val_top1": "20", "val_top1_low": "18.5", "val_top1_high": "21.6",
    }  # fmt: skip
    text = f"{','.join(columns)}\n{','.join(line.values())}\n"
    (folder / "table2.csv").write_text(text)
    assert readme.BLOCKS["table2"](tmp_path).splitlines()[2:] == [
        "| net | 10 | 38.4 | 20.0 [18.5, 21.6] |  |  |"
    ]
    (folder / "errors.csv").write_text("row,val_top1\nnet,38.44\nnaive: grey,90\n")
    assert readme.naive(tmp_path).splitlines()[2:] == ["| naive: grey | 90.0 |"]
