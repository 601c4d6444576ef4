"""The paper's testable claims, `claims.toml`, and what each comes to by our results."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zfrepro.analysis.bootstrap import Interval
from zfrepro.report.results import Results
from zfrepro.report.verdicts import Part, Rule, UntestedError, Verdict

CLAIMS = Path(__file__).with_name("claims.toml")


@dataclass(frozen=True)
class Claim:
    """One claim, its place in the paper, and the rule that decides it.

    Args:
        element: the figure or table, "figure5".
        paper: what the paper shows, with its numbers.
        unit: of the effect and the margin.
        each: what the several cases are of which it is said; "": one.
        why: how the margin follows from the paper's own numbers.
        stage: of `dvc.yaml`, whose rerun makes the number anew.
    """

    id: str
    element: str
    section: str
    claim: str
    measure: str
    unit: str
    paper: str
    stage: str
    picture: str
    side: Literal["above", "below"] = "above"
    margin: float = 0.0
    why: str = ""
    each: str = ""

    @property
    def rule(self) -> Rule:
        return Rule(self.side, self.margin)

    @property
    def rule_text(self) -> str:
        other = "below" if self.side == "above" else "above"
        at = f"{self.margin:g}" + (f" {self.unit} ({self.why})" if self.why else "")
        if self.each:
            return (
                f"reproduced if the 95 % interval of each {self.each} lies {self.side} {at}; "
                f"contradicted if one, widened for their number, lies {other}; else inconclusive"
            )
        return (
            f"reproduced if the 95 % interval lies {self.side} {at}; contradicted if {other}; "
            "else inconclusive"
        )


@dataclass(frozen=True)
class Evidence:
    """What our results say of a claim.

    Args:
        resampled: of what another draw is meant by the intervals: images, networks or folds.
        count: how many of those there are.
        images: how many the effect is measured on; None where it is not on images.
        paper: the paper's number for the same measure, where it gives one.
    """

    parts: tuple[Part, ...]
    resampled: Literal["images", "networks", "folds"]
    count: int
    networks: tuple[str, ...]
    images: int | None = None
    paper: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """A claim and what became of it; `evidence` is None where it was not tested."""

    claim: Claim
    verdict: Verdict
    evidence: Evidence | None
    seeds: int
    sources: tuple[str, ...]
    note: str

    @property
    def shown(self) -> Interval | None:
        """The interval that decides."""
        return self.evidence and self.claim.rule.deciding(self.evidence.parts).interval


Measure = Callable[[Results], Evidence]


def load(path: Path = CLAIMS) -> list[Claim]:
    """All claims, in the paper's order.

    Raises:
        TypeError: an entry lacks a key, or has an unknown one.
    """
    with path.open("rb") as file:
        return [Claim(**entry) for entry in tomllib.load(file)["claim"]]


def judge(claim: Claim, measure: Measure, results: Results) -> Judged:
    """Applies the claim's rule to what `measure` finds; what it cannot find is not tested."""
    used = results.anew()
    try:
        found = measure(used)
        seeds = len({used.seed(network) for network in found.networks})
        verdict = claim.rule.verdict(found.parts)
    except UntestedError as reason:
        return Judged(claim, "not tested", None, 0, used.sources, str(reason))
    return Judged(claim, verdict, found, seeds, used.sources, found.note)


def entry(judged: Judged) -> dict[str, Any]:
    """A claim of claims.json."""
    claim, evidence, shown = judged.claim, judged.evidence, judged.shown
    kept = {
        key: value
        for key, value in asdict(claim).items()
        if key in ("id", "element", "section", "claim", "measure", "unit", "paper")
    }
    ends = shown or Interval(math.nan, math.nan, math.nan)
    return {
        **kept,
        "rule": claim.rule_text,
        "verdict": judged.verdict,
        **dict(zip(("effect", "low", "high"), map(_rounded, ends), strict=True)),
        "margin": claim.margin,
        "paper_effect": evidence and evidence.paper,
        "resampled": evidence and evidence.resampled,
        "count": evidence and evidence.count,
        "images": evidence and evidence.images,
        "seeds": judged.seeds or None,
        "networks": list(evidence.networks) if evidence else [],
        "sources": list(judged.sources),
        "stage": claim.stage,
        "picture": claim.picture,
        "note": judged.note,
    }


def document(profile: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """What claims.json holds."""
    return {"profile": profile, "claims": [entry(each) for each in judged]}


def judge_all(measures: Mapping[str, Measure], results: Results) -> list[Judged]:
    """Every claim of `claims.toml`.

    Args:
        measures: by the id of a claim.
    """
    return [judge(claim, measures[claim.id], results) for claim in load()]


def shown(found: Interval) -> str:
    """`+1.2 [+0.3, +2.1]`."""
    return f"{found.mean:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"


def _rounded(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
