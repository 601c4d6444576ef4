"""The tables as numbers: ours with its interval, the paper's, and the recipe that made it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zfrepro import paper
from zfrepro.report.page import recipes
from zfrepro.results import Results, Row

UNITS = {
    "table1": "Hamming distance of the signs of change; lower is more consistent",
    **dict.fromkeys(("table2", "table3"), "error in percent; lower is better"),
    **dict.fromkeys(("table4", "table5", "table7"), "accuracy in percent; higher is better"),
    "table6": "average precision in percent; higher is better",
}
LABELS = {
    "train_top1": "train top-1", "val_top1": "validation top-1", "val_top5": "validation top-5",
    "test_top5": "test top-5", "change": "top-1 against base", "caltech101": "Caltech-101",
    "caltech256": "Caltech-256", "logistic": "one-vs-rest",
}  # fmt: skip
SETS = {"table4": "caltech101", "table5": "caltech256", "table6": "voc2012"}
ABOUT = ("parameters", "epochs", "seeds")  # facts of a row, shown where rows differ


@dataclass(frozen=True)
class Number:
    """A number of ours, or the paper's alone where `value` is None."""

    element: str  # "table3"
    row: str
    column: str  # "val_top1"
    value: float | None
    low: float | None = None  # of a 95 % interval
    high: float | None = None
    sd: float | None = None
    paper: float | None = None
    paper_sd: float | None = None
    recipe: str = ""  # its place on the page
    command: str = ""  # which prints it
    source: str = ""  # the file that holds it, below results/

    @property
    def key(self) -> str:
        return f"{self.element}/{self.row}/{self.column}"

    @property
    def decimals(self) -> int:
        return 3 if self.element == "table1" else 1

    @property
    def sign(self) -> str:
        return "+" if self.column == "change" else ""


@dataclass(frozen=True)
class Line:
    """A row of a table: what it is called, its facts, and its numbers in the table's order."""

    name: str
    label: str
    about: Row
    cited: tuple[Number, ...]
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Table:
    """One table of the paper, ours beside it."""

    name: str
    title: str
    unit: str
    columns: tuple[str, ...]  # what its numbers are called
    cited: tuple[str, ...]
    about: tuple[str, ...]
    lines: tuple[Line, ...]
    note: str
    source: str  # the file, below results/

    @property
    def numbers(self) -> list[Number]:
        """Those of ours."""
        return [n for line in self.lines for n in line.numbers if n.value is not None]


def tables(results: Results) -> dict[str, Table | None]:
    """Tables 1 to 7 by name; None where no stage has written one."""
    return {name: table(results, name) for name in paper.TITLES}


def table(results: Results, name: str) -> Table | None:
    source = f"tables/{name}.csv"
    rows = [_plain(row) for row in results.rows(source)]
    if not rows:
        return None
    first, header = next(iter(rows[0])), list(rows[0])
    quantities = _shown(rows, [c for c in header if f"{c}_low" in header])
    cited = [c for c in header[1:] if c.endswith("_2012")]
    about = [c for c in ABOUT if len({row[c] for row in rows if row.get(c)}) > 1]
    lines = []
    for row in rows:
        given = [Number(name, row[first], c, None, paper=_number(row, c)) for c in cited]
        ours = [_of(results, name, row[first], c, row, source) for c in quantities]
        facts = {c: row.get(c, "") for c in about}
        if any(n.value is not None or n.paper is not None for n in (*given, *ours)):
            lines.append(
                Line(row[first], paper.label(row[first]), facts, tuple(given), tuple(ours))
            )
    return Table(
        name, paper.TITLES[name], UNITS[name], tuple(map(_label, quantities)),
        tuple(map(paper.label, cited)), tuple(about), tuple(lines), _note(results, name), source,
    )  # fmt: skip


def made_of(results: Results, row: Mapping[str, str]) -> list[str]:
    """The experiments whose networks a row of table 2 or 3 is made of."""
    known = results.experiments
    return [known[mark] for mark in row.get("fingerprint", "").split() if mark in known]


def _of(
    results: Results, name: str, row: str, column: str, cells: Row, source: str
) -> Number:  # fmt: skip
    recipe, command = _origin(results, name, row, column, cells)
    return Number(
        element=name, row=row, column=column, value=_number(cells, column),
        low=_number(cells, f"{column}_low"), high=_number(cells, f"{column}_high"),
        sd=_number(cells, f"{column}_sd"), paper=_number(cells, f"paper_{column}"),
        paper_sd=_number(cells, f"paper_{column}_sd"), recipe=recipe, command=command,
        source=source,
    )  # fmt: skip


def _origin(results: Results, name: str, row: str, column: str, cells: Row) -> tuple[str, str]:
    """The recipe of a number and the quickest command that prints it."""
    if name in ("table2", "table3"):
        members = made_of(results, cells)
        several = len(members) > 1
        recipe = recipes.id_of(f"table2/{row}" if several else members[0] if members else "tables")
        if not members or column == "change":  # image by image against another row
            return recipes.id_of("tables"), recipes.repeat("tables")
        return recipe, recipes.evaluation(members, column.partition("_")[0])
    stage = stage_of(name, column)
    return recipes.id_of(stage), recipes.stage_command(results, stage)


def stage_of(table: str, column: str = "") -> str:
    """The stage that measures a table's numbers."""
    if table == "table1":
        return "correspondence"
    if table == "table7":
        return "probe"
    return f"transfer@{SETS[table]}" if table in SETS else "tables"


def _shown(rows: Sequence[Row], quantities: Sequence[str]) -> list[str]:
    """Quantities that we measured; all where we measured none, for the paper's sake."""
    measured = [c for c in quantities if any(row.get(c) for row in rows)]
    return measured or [c for c in quantities if any(row.get(f"paper_{c}") for row in rows)]


def _plain(row: Row) -> Row:
    """Table 1's columns named as those of the others."""
    return {
        re.sub(r"^(\w+)_paper(_std)?$", r"paper_\1\2", name).replace("_mean", "").replace(
            "_std", "_sd"
        ): cell or ""
        for name, cell in row.items()
    }  # fmt: skip


def _label(column: str) -> str:
    images = re.fullmatch(r"acc_(\d+)", column)
    return f"{images[1]} images per class" if images else LABELS.get(column, column)


def _number(row: Row, column: str) -> float | None:
    cell = row.get(column, "")
    return float(cell) if cell else None


def _note(results: Results, name: str) -> str:
    """What the stage wrote below the table."""
    lines = (results.text(f"tables/{name}.md") or "").splitlines()
    return " ".join(line for line in lines if line and not line.startswith("|"))


def every(tables: Mapping[str, Table | None]) -> Iterator[Number]:
    """Each number of ours in all tables."""
    for found in tables.values():
        if found is not None:
            yield from found.numbers
