import json
from pathlib import Path

import pytest

from zfrepro.report import networks, readme
from zfrepro.report.networks import TOP1, TOP5


def test_blocks_are_filled_and_the_rest_is_kept() -> None:
    text = "before\n<!-- errors -->\nold\nlines\n<!-- /errors -->\nafter\n"
    filled = readme.fill(text, {"errors": "| new |\n"})
    assert filled == "before\n<!-- errors -->\n| new |\n<!-- /errors -->\nafter\n"
    assert readme.fill(filled, {"errors": "| new |\n"}) == filled


def test_a_missing_block_is_named() -> None:
    with pytest.raises(ValueError, match="<!-- errors -->"):
        readme.fill("nothing", {"errors": ""})


def test_the_readme_has_every_block() -> None:
    text = (readme.PROJECT / "README.md").read_text()
    assert readme.fill(text, dict.fromkeys(readme.BLOCKS, "x\n")) != text


def test_ratios_are_found_at_any_depth(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    result = {"ours / theirs": 7.123, "seconds": 1.0, "small": {"a / b": 2, "rounds": [1]}}
    (folder / "training_step.json").write_text(json.dumps(result))
    assert readme.benchmarks(tmp_path).splitlines()[2:] == [
        "| training step | ours / theirs | 7.12 |",
        "| training step | small: a / b | 2 |",
    ]


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
        "| net | 10 | 38.4 | 20.0 [18.5, 21.6] |  |  |  |  |"
    ]
    (folder / "errors.csv").write_text("row,val_top1\nnet,38.44\nnaive: grey,90\n")
    assert readme.naive(tmp_path).splitlines()[2:] == ["| naive: grey | 90.0 |"]
