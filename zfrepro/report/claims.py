"""The paper's testable claims, `claims.toml`, and what each comes to by our results."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    """

    parts: tuple[Part, ...]
    resampled: Literal["images", "networks", "folds"]
    count: int
    networks: tuple[str, ...]
    images: int | None = None
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
    def deciding(self) -> Part | None:
        """The part that is shown."""
        if self.evidence is None:
            return None
        return self.claim.rule.deciding(self.evidence.parts)


Measure = Callable[[Results], Evidence]


def load(path: Path = CLAIMS) -> list[Claim]:
    """All claims, in the paper's order.

    Raises:
        TypeError: an entry lacks a key, or has an unknown one.
    """
    with path.open("rb") as file:
        return [Claim(**entry) for entry in tomllib.load(file)["claim"]]


def judge_all(measures: Mapping[str, Measure], results: Results) -> list[Judged]:
    """Every claim of `claims.toml`.

    Args:
        measures: by the id of a claim.
    """
    return [judge(claim, measures[claim.id], results) for claim in load()]


def judge(claim: Claim, measure: Measure, results: Results) -> Judged:
    """Applies the claim's rule to what `measure` finds; what it cannot find is not tested."""
    used = results.anew()
    try:
        found = measure(used)
        seeds = len({used.seed(network) for network in found.networks})
        verdict = claim.rule.verdict(found.parts)
    except UntestedError as reason:
        return Judged(claim, "not tested", None, 0, used.sources, str(reason))
    notes = [found.note, _other_way(claim, found)]
    return Judged(claim, verdict, found, seeds, used.sources, "; ".join(filter(None, notes)))


def _other_way(claim: Claim, found: Evidence) -> str:
    """That something said to make little difference makes one, in the other direction."""
    little = claim.side == "below" and claim.margin > 0
    if little and claim.rule.deciding(found.parts).interval.high < 0:
        return "here it does make a difference, the other way"
    return ""


def document(profile: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """What claims.json holds."""
    return {"profile": profile, "claims": [entry(each) for each in judged]}


def entry(judged: Judged) -> dict[str, Any]:
    """A claim of claims.json."""
    claim, evidence, part = judged.claim, judged.evidence, judged.deciding
    names = ("id", "element", "section", "claim", "measure", "unit", "paper")
    effect, low, high = part.interval if part else (None, None, None)
    return {
        **{name: getattr(claim, name) for name in names},
        "rule": claim.rule_text,
        "verdict": judged.verdict,
        "effect": _rounded(effect),
        "low": _rounded(low),
        "high": _rounded(high),
        "margin": claim.margin,
        "side": claim.side,
        "paper_effect": _rounded(part.paper) if part else None,
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


def shown(found: Interval) -> str:
    """`+1.2 [+0.3, +2.1]`."""
    return f"{found.mean:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
