"""What a stage has found: measures with their intervals, which page, MLflow and claims read.

They stand in `measures.json`, by name. A value is a number; or an object with `value`, `low` and
`high`; or, where a claim may rest on it, one that also says what was drawn anew for the interval
and of which networks it is (`Measure`); or the reason why there is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from zfrepro import files
from zfrepro.stats import Interval

if TYPE_CHECKING:
    import pandas as pd

MEASURES = "measures.json"
DIGITS = 6  # significant ones, of a number in the file


class UntestedError(ValueError):
    """There is no result that could decide a claim; the message says why, and the remedy."""


class Part(NamedTuple):
    """One case of a claim.

    `interval` has 95 %; `wider` has 1 - 0.05 / cases, and is the same where there is one case.
    `paper` is the paper's number for the same measure, where it gives one.
    """

    name: str
    interval: Interval
    wider: Interval
    paper: float | None = None


def only(interval: Interval, paper: float | None = None) -> tuple[Part]:
    """The parts of what is one number."""
    return (Part("", interval, interval, paper),)


class Control(NamedTuple):
    """What the same measure gives where the cause that a claim names is absent.

    `beyond` is how much further the effect goes than there.
    """

    name: str  # "boxes of other images"
    alone: Interval
    beyond: Interval


@dataclass(frozen=True)
class Measure:
    """A number, or one for each of several cases, that a claim may rest on.

    Args:
        resampled: of what another draw is meant by the intervals.
        count: how many of those there are.
        images: how many the effect is measured on; None where it is not on images.
        note: other measures of the same, and what else the reader should know.
    """

    parts: tuple[Part, ...]
    resampled: Literal["images", "networks", "folds", "maps"]
    count: int
    networks: tuple[str, ...]
    images: int | None = None
    note: str = ""
    control: Control | None = None


Found = float | Interval | Measure | UntestedError  # a value of `measures.json`


@dataclass(frozen=True)
class Outcome:
    """What an element has found, beside the pictures that it has drawn.

    Args:
        measures: by name.
        tables: become `<name>.csv`.
        text: Markdown: what was done and found, for people.
    """

    measures: Mapping[str, Found] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    text: str = ""

    def write(self, folder: Path) -> None:
        """Into `folder`: the tables, `measures.json` and `report.md`."""
        for name, table in self.tables.items():
            with files.atomic_path(folder / f"{name}.csv") as path:
                table.to_csv(path, index=False, float_format="%.5g")
        if self.measures:
            write_measures(folder / MEASURES, self.measures)
        if self.text:
            files.atomic_write(folder / "report.md", self.text)


def write_measures(path: Path, measures: Mapping[str, Found]) -> None:
    files.write_json(path, {name: _to_json(found) for name, found in measures.items()})


def read_measures(path: Path) -> dict[str, Found]:
    """By name.

    Raises:
        OSError: there is no such file.
        ValueError: it is not what `write_measures` writes.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {name: _from_json(entry) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no measures ({error}): run its stage again") from error


def flat(measures: Mapping[str, Found]) -> dict[str, Interval]:
    """Every number; a case of several is `<name>/<case>`, what is one number has no ends."""
    found: dict[str, Interval] = {}
    for name, each in measures.items():
        if isinstance(each, Measure):
            found |= {f"{name}/{p.name}".rstrip("/"): p.interval for p in each.parts}
            if each.control:
                found[f"{name}/control"] = each.control.alone
                found[f"{name}/beyond_control"] = each.control.beyond
        elif isinstance(each, Interval):
            found[name] = each
        elif not isinstance(each, UntestedError):
            found[name] = Interval(float(each), math.nan, math.nan)
    return found


def _to_json(found: Found) -> Any:
    match found:
        case UntestedError():
            return {"untested": str(found)}
        case Interval():
            return _ends(found)
        case Measure():
            parts = [_part(part) for part in found.parts]
            single = len(parts) == 1 and not found.parts[0].name
            return {
                **(parts[0] if single else {"parts": parts}),
                "resampled": found.resampled, "count": found.count, "images": found.images,
                "networks": list(found.networks), "note": found.note,
                **({"control": _control(found.control)} if found.control else {}),
            }  # fmt: skip
        case int():
            return found
        case _:
            return _rounded(found)


def _control(control: Control) -> dict[str, Any]:
    return {
        "name": control.name, "alone": _ends(control.alone), "beyond": _ends(control.beyond),
    }  # fmt: skip


def _part(part: Part) -> dict[str, Any]:
    named = {"name": part.name} if part.name else {}
    wide = _ends(part.wider)
    ends = {} if part.wider == part.interval else {f"wider_{k}": wide[k] for k in ("low", "high")}
    return {**named, **_ends(part.interval), **ends, "paper": _rounded(part.paper)}


def _ends(interval: Interval) -> dict[str, float | None]:
    return dict(zip(("value", "low", "high"), map(_rounded, interval), strict=True))


def _from_json(entry: Any) -> Found:
    match entry:
        case {"untested": reason}:
            return UntestedError(reason)
        case {"resampled": resampled}:
            return Measure(
                tuple(_read_part(each) for each in entry.get("parts", [entry])), resampled,
                entry["count"], tuple(entry["networks"]), entry["images"], entry["note"],
                _read_control(entry.get("control")),
            )  # fmt: skip
        case {"value": _}:
            return _interval(entry)
        case _:
            return _number(entry)


def _read_part(entry: Mapping[str, Any]) -> Part:
    wider = {key: entry.get(f"wider_{key}", entry[key]) for key in ("low", "high")}
    return Part(
        entry.get("name", ""), _interval(entry), _interval({**entry, **wider}), entry["paper"]
    )


def _read_control(entry: Mapping[str, Any] | None) -> Control | None:
    if entry is None:
        return None
    return Control(entry["name"], _interval(entry["alone"]), _interval(entry["beyond"]))


def _interval(entry: Mapping[str, Any]) -> Interval:
    return Interval(*(_number(entry[key]) for key in ("value", "low", "high")))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _rounded(value: float | None) -> float | None:
    """JSON has no NaN: what is not a number is null."""
    known = value is not None and math.isfinite(value)
    return float(f"{value:.{DIGITS}g}") if known else None
