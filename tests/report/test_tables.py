from pathlib import Path

import pandas as pd
from PIL import Image

from zfrepro.render import tables

TABLE = pd.DataFrame(
    {"row": ["a", "naive"], "seed": [0, None], "ours": [12.34, 90.0], "paper": [38.4, None]}
).astype({"seed": "Int64"})


def test_markdown_leaves_missing_cells_empty() -> None:
    assert tables.markdown(TABLE) == (
        "| row | seed | ours | paper |\n"
        "| --- | --- | --- | --- |\n"
        "| a | 0 | 12.3 | 38.4 |\n"
        "| naive |  | 90.0 |  |\n"
    )


def test_a_table_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    tables.write(TABLE, tmp_path / "errors.csv")
    read = pd.read_csv(tmp_path / "errors.csv").astype({"seed": "Int64"})
    pd.testing.assert_frame_equal(read, TABLE)
    assert (tmp_path / "errors.md").read_text() == tables.markdown(TABLE)


def test_bars_are_a_picture(tmp_path: Path) -> None:
    pairs = {"top-1": ("ours", "paper"), "top-5": ("ours", "paper")}
    tables.bars(TABLE, tmp_path / "bars.png", label="row", pairs=pairs, title="Errors")
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.format == "PNG"
        assert len(set(picture.convert("L").resize((60, 20)).get_flattened_data())) > 5
