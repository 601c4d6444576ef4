import json
from pathlib import Path

import pytest

from zfrepro.report import readme


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


def test_errors_come_from_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "tables"
    folder.mkdir(parents=True)
    columns = ",".join(readme.COLUMNS)
    (folder / "errors.csv").write_text(
        f"{columns},extra\nnet,10,1,38.44,2,,3,4,x\nnaive,,90,,,,,,\n"
    )
    assert readme.errors(tmp_path).splitlines()[2:] == [
        "| net | 10 | 1.0 | 38.4 | 2.0 |  | 3.0 | 4.0 |",
        "| naive |  | 90.0 |  |  |  |  |  |",
    ]
