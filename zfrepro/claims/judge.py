"""The paper's testable claims, `claims.toml`, and what each comes to by our results."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zfrepro import elements
from zfrepro.claims.rules import Rule, Verdict
from zfrepro.outcome import MEASURES, Measure, Part, UntestedError
from zfrepro.results import Results

CLAIMS = Path(__file__).with_name("claims.toml")


@dataclass(frozen=True)
class Claim:
    """One claim, its place in the paper, and the rule that decides it.

    Args:
        id, element, stage: its name; the figure or table, "figure5"; and the stage of `dvc.yaml`
            whose rerun makes the number anew. Without them as the number says.
        number: of `measures.json` that decides it: "figure7:difference", "tables:table3/fc67".
        paper: what the paper shows, with its numbers.
        unit: of the effect and the margin.
        each: what the several cases are of which it is said; "": one.
        why: how the margin follows from the paper's own numbers.
    """

    number: str
    claim: str
    id: str = ""
    element: str = ""
    section: str = ""
    measure: str = ""
    unit: str = ""
    paper: str = ""
    stage: str = ""
    picture: str = ""
    side: Literal["above", "below"] = "above"
    margin: float = 0.0
    why: str = ""
    each: str = ""

    def __post_init__(self) -> None:
        """What is not said follows from the number."""
        figure = self.number.partition(":")[0]
        shown = elements.exhibits().get(figure)
        follows = {
            "id": re.sub(r"\W+", "-", self.number), "element": figure,
            "stage": shown.stage if shown else figure,
        }  # fmt: skip
        for name, value in follows.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)

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
class Judged:
    """A claim and what became of it; `evidence` is None where it was not tested."""

    claim: Claim
    verdict: Verdict
    evidence: Measure | None
    seeds: int
    sources: tuple[str, ...]
    note: str

    @property
    def deciding(self) -> Part | None:
        """The part that is shown."""
        if self.evidence is None:
            return None
        return self.claim.rule.deciding(self.evidence.parts)


def load(path: Path = CLAIMS) -> list[Claim]:
    """All claims, in the paper's order.

    Raises:
        TypeError: an entry lacks a key, or has an unknown one.
    """
    with path.open("rb") as file:
        return [Claim(**entry) for entry in tomllib.load(file)["claim"]]


def judge_all(results: Results, profile: str) -> list[Judged]:
    """Every claim of `claims.toml`, by what the stages have measured at a profile."""
    return [judge(claim, results, profile) for claim in load()]


def judge(claim: Claim, results: Results, profile: str) -> Judged:
    """Applies the claim's rule to its number; what has not been measured is not tested."""
    folder, _ = place(claim.number)
    sources = (f"results/{folder}/{MEASURES}",)
    try:
        found = measured(results, claim.number)
        seeds = {seed(results, network, profile) for network in found.networks}
        verdict = claim.rule.verdict(found.parts)
    except UntestedError as reason:
        return Judged(claim, "not tested", None, 0, sources, str(reason))
    notes = [found.note, _other_way(claim, found)]
    return Judged(claim, verdict, found, len(seeds), sources, "; ".join(filter(None, notes)))


def place(number: str) -> tuple[str, str]:
    """The folder below `results/` of whose measures a claim's number is, and its name there."""
    element, _, name = number.partition(":")
    return ("tables" if element == "tables" else f"figures/{element}"), name


def measured(results: Results, number: str) -> Measure:
    """The measure that a claim's number names.

    Raises:
        UntestedError: there is none.
    """
    folder, name = place(number)
    found = results.measures(folder).get(name)
    if isinstance(found, UntestedError):
        raise found
    if not isinstance(found, Measure):
        raise UntestedError(f"there is no {name} in results/{folder}/{MEASURES}")
    return found


def seed(results: Results, network: str, profile: str) -> int:
    """From which a network was trained.

    Raises:
        UntestedError: there is no such network, or it is of another profile.
    """
    try:
        recipe = results.run(network)
    except FileNotFoundError as error:
        raise UntestedError(str(error)) from error
    if recipe["profile"] != profile:
        raise UntestedError(
            f"{network} is of profile {recipe['profile']}, not {profile}: "
            f"`dvc repro train@{network}`"
        )
    return int(recipe["seed"])


def _other_way(claim: Claim, found: Measure) -> str:
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
    names = ("id", "element", "section", "claim", "measure", "number", "unit", "paper")
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


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
