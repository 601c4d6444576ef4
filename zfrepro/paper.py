"""The paper's published numbers: `paper_tables/*.csv`, one file a table.

Beside the paper's: `reproductions`, what others measured of the same networks on ImageNet, and
`rows`, what the tables' rows are called in words.
"""

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TABLES = Path(__file__).parent / "paper_tables"
TITLES = {  # of the tables
    "table1": "Parts that mean the same in different faces",
    "table2": "Single networks and ensembles",
    "table3": "Layers removed and resized",
    "table4": "Features at work on Caltech-101",
    "table5": "Features at work on Caltech-256",
    "table6": "Features at work on PASCAL VOC 2012",
    "table7": "What the features of each layer are worth",
}


def published(table: str, row: str, column: str) -> float | None:
    """One published number (errors in percent), or None where the paper gives none.

    `table` is "table1" to "table7"; `row` is a value of the table's first column.

    Raises:
        KeyError: no such table, row or column; names those that exist.
    """
    rows = _rows(table)
    if row not in rows:
        raise KeyError(f"{table} has no row {row!r}; its rows: {', '.join(rows)}")
    if column not in rows[row]:
        raise KeyError(f"{table} has no column {column!r}; its columns: {', '.join(rows[row])}")
    cell = rows[row][column]
    return float(cell) if cell else None


def table(name: str) -> "pd.DataFrame":
    """A whole table ("table1" to "table7"), NaN where the paper gives no number.

    Raises:
        KeyError: no such table; names those that exist.
    """
    import pandas as pd  # noqa: PLC0415  composing a configuration needs no pandas

    return pd.read_csv(_file(name))


def reproductions() -> list[dict[str, str]]:
    """What others report: columns row, by, network, crops, and errors in percent, as text."""
    return list(_rows("reproductions").values())


def label(row: str) -> str:
    """What a row of the tables is called in words; its own name where there are none."""
    return _rows("rows").get(row, {}).get("label", row)


@cache
def _rows(table: str) -> dict[str, dict[str, str]]:
    """The rows of one table by the value of its first column."""
    with _file(table).open(newline="", encoding="utf-8") as lines:
        return {next(iter(row.values())): row for row in csv.DictReader(lines)}


def _file(table: str) -> Path:
    files = {path.stem.partition("_")[0]: path for path in sorted(TABLES.glob("*.csv"))}
    if table not in files:
        raise KeyError(f"no table {table!r}; there are {', '.join(files)}")
    return files[table]
