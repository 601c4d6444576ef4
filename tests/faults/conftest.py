"""Counts what came of every fault that the tests here throw, and writes docs/faults.md of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from zfrepro.config import ROOT

TABLE = ROOT / "docs" / "faults.md"
OUTCOMES = ("survived", "clear error", "other")
HEAD = """\
# What was broken on purpose, and what came of it

Written by `pytest tests/faults --write-faults`, which throws every one of these faults.
*Survived*: the same result as without the fault. *Clear error*: it stopped with a line that names
the file and what to do. *Other* (a traceback, a wrong number taken for a right one, an endless
wait) fails the test.

| fault | tries | survived | clear error | other |
| --- | ---: | ---: | ---: | ---: |
"""


class Faults:
    """Outcomes by fault. `count` takes one try; a row of the table is a fault's name."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = defaultdict(Counter)
        self.others: list[str] = []

    def count(self, row: str, outcome: str, detail: object = "") -> None:
        """`outcome` is one of `OUTCOMES`; `detail` says in the test's failure what happened."""
        assert outcome in OUTCOMES, outcome
        self.rows[row][outcome] += 1
        if outcome == "other":
            self.others.append(f"{row}: {detail}")

    def table(self) -> str:
        lines = [
            f"| {row} | {counts.total()} | {' | '.join(str(counts[each]) for each in OUTCOMES)} |\n"
            for row, counts in sorted(self.rows.items())
        ]
        return HEAD + "".join(lines)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help=f"write {TABLE.name} anew")


@pytest.fixture(scope="session")
def all_faults(pytestconfig: pytest.Config) -> Iterator[Faults]:
    faults = Faults()
    yield faults
    if pytestconfig.getoption("--write-faults", default=False):
        TABLE.write_text(faults.table(), encoding="utf-8")


@pytest.fixture
def faults(all_faults: Faults) -> Iterator[Faults]:
    """The counts of the whole session; the test fails if one of its tries ended in "other"."""
    all_faults.others.clear()
    yield all_faults
    assert not all_faults.others, "\n".join(all_faults.others)
