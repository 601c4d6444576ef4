"""Two reports side by side: which numbers moved, and by more than their intervals allow."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from zfrepro.report.page import template
from zfrepro.results import ResultsError

NUMBERS, CLAIMS, SUMMARY = "numbers.csv", "claims.json", "summary.json"
PLACES = (".", "report", "results/report")  # of a report in a folder that is named

SAME, WITHIN, BEYOND, OPEN, GONE, NEW = (
    "same", "within", "beyond", "no interval", "only in A", "only in B",
)  # fmt: skip
STATES = {
    BEYOND: "moved beyond their intervals",
    WITHIN: "moved within them",
    OPEN: "moved, and have no interval",
    GONE: "only in A",
    NEW: "only in B",
    SAME: "the same",
}
ROUNDING = 1e-9  # the files have four digits


@dataclass(frozen=True)
class Value:
    """A number and the ends of its 95 % interval, where it has one."""

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Change:
    """One number in both reports; None where one of them has it not."""

    key: str
    a: Value | None
    b: Value | None

    @cached_property
    def state(self) -> str:
        """One of `STATES`. Beyond: the intervals have nothing in common."""
        if self.a is None or self.b is None:
            return GONE if self.b is None else NEW
        if abs(self.a.value - self.b.value) <= ROUNDING:
            return SAME
        ends = (self.a.low, self.a.high, self.b.low, self.b.high)
        if None in ends:
            return OPEN
        low_a, high_a, low_b, high_b = (end for end in ends if end is not None)
        return BEYOND if low_a > high_b or low_b > high_a else WITHIN

    @property
    def difference(self) -> float | None:
        return None if self.a is None or self.b is None else self.b.value - self.a.value


@dataclass(frozen=True)
class Turn:
    """A claim whose verdict is not the same in both reports."""

    id: str
    claim: str
    a: str
    b: str


class Report:
    """What a stage `report` left of a study.

    Args:
        place: a checkout, its `results/`, the report's folder or a file in it.

    Raises:
        ResultsError: there is no report; names where it was looked for.
    """

    def __init__(self, place: Path) -> None:
        near = place.parent if place.is_file() else place
        tried = [(near / name).resolve() for name in PLACES]
        self.folder = next((folder for folder in tried if (folder / NUMBERS).is_file()), tried[0])
        if not (self.folder / NUMBERS).is_file():
            looked = ", ".join(str(folder / NUMBERS) for folder in tried)
            raise ResultsError(f"no report in {place}: `dvc repro report` writes one ({looked})")

    @cached_property
    def numbers(self) -> dict[str, Value]:
        """Every number of the page by its key, `table3/tab3_zfnet/val_top1`.

        Raises:
            ResultsError: the file has other columns.
        """
        path = self.folder / NUMBERS
        try:
            with path.open(newline="", encoding="utf-8") as lines:
                return {_key(row): _value(row) for row in csv.DictReader(lines)}
        except (KeyError, ValueError, TypeError) as error:
            raise ResultsError(
                f"{path} is not a list of numbers ({error}): `dvc repro report`"
            ) from error

    @cached_property
    def claims(self) -> dict[str, dict[str, Any]]:
        """The claims by their id; none where stage `claims` has not run."""
        return {claim["id"]: claim for claim in self._json(CLAIMS).get("claims", [])}

    @cached_property
    def summary(self) -> dict[str, Any]:
        """How big the study is."""
        return self._json(SUMMARY)

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        except json.JSONDecodeError as error:
            raise ResultsError(f"{path} is no JSON: {error}") from error
        return found


def changes(a: Report, b: Report) -> list[Change]:
    """Each number of either; those that moved furthest, in widths of their intervals, first."""
    keys = dict.fromkeys([*_with_claims(a), *_with_claims(b)])
    both = [Change(key, _with_claims(a).get(key), _with_claims(b).get(key)) for key in keys]
    order = list(STATES)
    return sorted(both, key=lambda change: (order.index(change.state), -_distance(change)))


def turns(a: Report, b: Report) -> list[Turn]:
    """The claims that are judged otherwise; those of one report alone are not among them."""
    return [
        Turn(name, a.claims[name]["claim"], a.claims[name]["verdict"], b.claims[name]["verdict"])
        for name in a.claims
        if name in b.claims and a.claims[name]["verdict"] != b.claims[name]["verdict"]
    ]


def verdicts(a: Report, b: Report) -> str:
    """In a sentence: of how many claims the verdict is the same; of one report alone, none."""
    both = a.claims.keys() & b.claims.keys()
    alone = len(a.claims.keys() ^ b.claims.keys())
    same = f"{len(both) - len(turns(a, b))} of {len(both)} verdicts are the same"
    return f"{same}; {alone} more in one report alone" if alone else same


def sizes(a: Report, b: Report) -> list[tuple[str, str, str]]:
    """What of the studies' sizes is not the same: what, in A and in B."""
    keys = dict.fromkeys([*a.summary, *b.summary])
    pairs = [(key, _said(a.summary.get(key)), _said(b.summary.get(key))) for key in keys]
    return [pair for pair in pairs if pair[1] != pair[2]]


def text(a: Report, b: Report, most: int = 20) -> str:
    """The comparison for a terminal; at most so many numbers of a kind."""
    found = changes(a, b)
    lines = [f"A  {a.folder}", f"B  {b.folder}", ""]
    lines += [f"{name}: {one} in A, {other} in B" for name, one, other in sizes(a, b)]
    lines += ["", verdicts(a, b)]
    lines += [f"{turn.id}: {turn.a} in A, {turn.b} in B ({turn.claim})" for turn in turns(a, b)]
    for state, said in STATES.items():
        of_it = [change for change in found if change.state == state]
        if of_it:
            lines += ["", f"{len(of_it)} number{'s' * (len(of_it) > 1)} {said}"]
            lines += [] if state == SAME else list(_listed(of_it, most))
    return "\n".join(lines)


def as_html(a: Report, b: Report) -> str:
    """The comparison as a page."""
    found = changes(a, b)
    groups = {state: [change for change in found if change.state == state] for state in STATES}
    context = {
        "a": a, "b": b, "states": STATES, "groups": groups, "sizes": sizes(a, b),
        "turns": turns(a, b), "verdicts": verdicts(a, b),
    }  # fmt: skip
    return template.render(context, "compare.html")


def as_csv(found: Sequence[Change]) -> str:
    """Every number with both values, for programs."""
    columns = [field.name for field in fields(Value)]
    names = ["key", "state", "difference", *(f"{c}_{side}" for side in "ab" for c in columns)]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for change in found:
        sides = {"a": change.a, "b": change.b}
        cells = {
            f"{name}_{side}": cell
            for side, value in sides.items()
            if value is not None
            for name, cell in asdict(value).items()
        }
        own = {"key": change.key, "state": change.state, "difference": change.difference}
        writer.writerow(own | cells)
    return out.getvalue()


def _listed(found: Sequence[Change], most: int) -> Iterator[str]:
    width = max(len(change.key) for change in found[:most])
    for change in found[:most]:
        moved = "" if change.difference is None else f"  ({change.difference:+.4g})"
        yield f"  {change.key:{width}}  {change.a or '-'}  ->  {change.b or '-'}{moved}"
    if len(found) > most:
        yield f"  and {len(found) - most} more (--csv has them all)"


def _with_claims(report: Report) -> dict[str, Value]:
    effects = {
        f"claims/{name}/effect": Value(claim["effect"], claim.get("low"), claim.get("high"))
        for name, claim in report.claims.items()
        if claim.get("effect") is not None
    }
    return effects | report.numbers


def _distance(change: Change) -> float:
    """How far a number moved, by half the sum of both intervals' widths."""
    a, b = change.a, change.b
    if a is None or b is None:
        return 0.0
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return abs(b.value - a.value)
    return 2 * abs(b.value - a.value) / ((a.high - a.low + b.high - b.low) or 1.0)


def _key(row: dict[str, str]) -> str:
    return f"{row['element']}/{row['row']}/{row['column']}"


def _value(row: dict[str, str]) -> Value:
    low, high = (float(row[end]) if row[end] else None for end in ("low", "high"))
    return Value(float(row["value"]), low, high)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
