"""The claims as the page shows them, and the small drawing of each effect's interval."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from zfrepro.claims.rules import SIGNS
from zfrepro.report.page import recipes
from zfrepro.results import Results, ResultsError

SOURCE = "report/claims.json"
HALF, ENDS = 100.0, 1.15  # half the drawing's width; how much further it goes than what it shows

Claim = Mapping[str, Any]


@dataclass(frozen=True)
class Drawing:
    """Places between 0 and 200 of an interval, 0 in the middle; None where there is no number."""

    effect: float
    low: float | None
    high: float | None
    paper: float | None
    margin: float | None
    other: float | None = None  # margin, of a little difference


def claims(results: Results) -> list[Claim]:
    """What stage `claims` found; nothing where it has not run.

    Raises:
        ResultsError: the file is not what that stage writes.
    """
    found = results.json(SOURCE)
    if found is None:
        return []
    try:
        judged: list[Claim] = found["claims"]
        unknown = {claim["verdict"] for claim in judged} - set(SIGNS)
    except (KeyError, TypeError) as error:
        raise ResultsError(
            f"{results.folder / SOURCE} has no {error}: `dvc repro claims`"
        ) from error
    if unknown:
        raise ResultsError(f"{results.folder / SOURCE} has a verdict {min(unknown)!r}")
    return judged


def counts(judged: list[Claim]) -> dict[str, int]:
    """How many of each verdict, in the order of `SIGNS`."""
    found = Counter(claim["verdict"] for claim in judged)
    return {verdict: found[verdict] for verdict in SIGNS}


def drawing(claim: Claim) -> Drawing | None:
    """None where nothing was measured."""
    names = ("effect", "low", "high", "paper_effect", "margin")
    values = {name: claim.get(name) for name in names}
    if values["effect"] is None:
        return None
    if claim.get("ratio"):  # no effect is 1, and twice is as far from it as half
        values = {name: value and log(value) for name, value in values.items()}
    furthest = max(abs(value) for value in values.values() if value is not None) * ENDS or 1.0
    places = {
        name: None if value is None else round(HALF * (1 + value / furthest), 1)
        for name, value in values.items()
    }
    margin = places["margin"] if values["margin"] else None
    effect = places["effect"]
    assert effect is not None  # noqa: S101  its value is a number
    other = 2 * HALF - margin if margin is not None and claim.get("side") == "little" else None
    return Drawing(effect, places["low"], places["high"], places["paper_effect"], margin, other)


def recipe_id(claim: Claim) -> str:
    return recipes.id_of(f"claim/{claim['id']}")
