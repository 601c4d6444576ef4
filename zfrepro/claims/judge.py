"""The paper's testable claims, `claims.toml`, and what each comes to by our results."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zfrepro import elements
from zfrepro.claims.rules import Rule, Verdict
from zfrepro.models import geometry
from zfrepro.outcome import MEASURES, Measure, Part, UntestedError
from zfrepro.results import Results

CLAIMS = Path(__file__).with_name("claims.toml")
HISTORY = Path(__file__).with_name("history.csv")  # of the rules: what has changed, and when


@dataclass(frozen=True)
class Claim:
    """One claim, its place in the paper, and the rule that decides it.

    Args:
        id, element, stage: its name; the figure or table, "figure5"; and the stage of `dvc.yaml`
            whose rerun makes the number anew; `load` takes them from the number unless they are
            said.
        number: of `measures.json` that decides it: "figure7:difference", "tables:table3/fc67".
        paper: what the paper shows, with its numbers.
        unit: of the effect and the margin.
        ratio: the number is one of two errors; no effect is 1.
        presupposes: the claim without which this one says nothing, and is not tested.
        also: further numbers that measure the same sentence: all count, and `number` the most.
        layer: of whose units it says that they see a part of the image: where their receptive
            field is larger than the crop, it says nothing, and is not tested.
        inferred: no sentence of the paper says it; we read it off a figure or table.
        learned: it is about what networks have learned, and not tested where one of them is no
            better than chance.
        each: what the several cases are of which it is said; "": one.
        why: how the margin follows from the paper's own numbers.
    """

    number: str
    claim: str
    id: str
    element: str
    stage: str
    section: str = ""
    measure: str = ""
    unit: str = ""
    paper: str = ""
    picture: str = ""
    side: Literal["above", "little"] = "above"
    margin: float = 0.0
    ratio: bool = False
    presupposes: str = ""
    also: Sequence[str] = ()
    layer: str = ""
    inferred: bool = False
    learned: bool = True
    why: str = ""
    each: str = ""

    @property
    def rule(self) -> Rule:
        return Rule(self.side, self.margin, self.ratio)

    @property
    def rule_text(self) -> str:
        rule, unit = self.rule, f" {self.unit}" if self.unit and self.why else ""
        at = f"{self.margin:g}{unit}" + (f" ({self.why})" if self.why else "")
        one = f"of each {self.each} " if self.each else ""
        any_, wider = ("one", ", widened for their number,") if self.each else ("it", "")
        if self.side == "little":
            text = (
                f"reproduced if the 95 % interval {one}lies between {rule.other_margin:.3g} and "
                f"{at}; contradicted if {any_}{wider} lies above, the opposite if below"
            )
        else:
            between = f", contradicted if between {rule.nothing:g} and that" * bool(self.margin)
            text = (
                f"reproduced if the 95 % interval {one}lies above {at}; the opposite if {any_}"
                f"{wider} lies below {rule.nothing:g}{between}"
            )
        if self.also:
            text += "; measures of the same that disagree leave it open"
        if not self.learned:
            text += "; needs no learning"
        if self.layer:
            text += f"; not tested where {self.layer} sees more than the image"
        if self.presupposes:
            text += f"; not tested unless {self.presupposes} is reproduced"
        return f"{text}; else inconclusive"


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
        entries = tomllib.load(file)["claim"]
    return [Claim(**{**_follows(each["number"]), **each}) for each in entries]


def history() -> list[dict[str, str]]:
    """What has changed in claims and rules, the first first: `date` and `change`."""
    with HISTORY.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _follows(number: str) -> dict[str, str]:
    """What an entry says of itself unless it says otherwise, from its number."""
    figure = number.partition(":")[0]
    shown = elements.exhibits().get(figure)
    return {
        "id": re.sub(r"\W+", "-", number), "element": figure,
        "stage": shown.stage if shown else figure,
    }  # fmt: skip


def judge_all(results: Results, profile: str) -> list[Judged]:
    """Every claim of `claims.toml`, by what the stages have measured at a profile."""
    judged: dict[str, Judged] = {}
    for claim in load():
        judged[claim.id] = judge(claim, results, profile, judged)
    return list(judged.values())


def judge(
    claim: Claim, results: Results, profile: str, before: Mapping[str, Judged] | None = None
) -> Judged:
    """Applies the claim's rule to its number; what has not been measured is not tested.

    Args:
        before: what has become of the claims that this one may presuppose.
    """
    folder, _ = place(claim.number)
    sources = (f"results/{folder}/{MEASURES}",)
    try:
        found = measured(results, claim.number)
        seeds = {seed(results, network, profile) for network in found.networks}
        check_presupposed(claim, before or {})
        check_learned(claim, found, results)
        check_sight(claim, found, results)
        verdict = claim.rule.judge(found)
    except UntestedError as reason:
        return Judged(claim, "not tested", None, 0, sources, str(reason))
    notes = [found.note, *_controlled(found)]
    for number in claim.also:
        other = claim.rule.judge(beside := measured(results, number))
        notes.insert(0, f"{number.partition(':')[2]}: {beside.parts[0].interval}, {other}")
        if {verdict, other} in ({"reproduced", "opposite"}, {"reproduced", "contradicted"}):
            verdict = "inconclusive"
            notes.insert(0, "measures disagree")
    return Judged(claim, verdict, found, len(seeds), sources, "; ".join(filter(None, notes)))


def check_presupposed(claim: Claim, before: Mapping[str, Judged]) -> None:
    """Raises UntestedError where the claim that this one presupposes is not reproduced."""
    presupposed = before.get(claim.presupposes)
    if presupposed is not None and presupposed.verdict != "reproduced":
        raise UntestedError(
            f"it presupposes {claim.presupposes}, which is {presupposed.verdict} here"
        )


def check_learned(claim: Claim, found: Measure, results: Results) -> None:
    """Raises UntestedError where the claim is about learning, and a network has learned nothing.

    The errors of networks that guess are alike, whatever is removed from them.
    """
    for network in found.networks if claim.learned else ():
        if (results.json(f"runs/{network}/metrics.json") or {}).get("at_chance"):
            raise UntestedError(f"{network} is no better than chance on its validation images")


def check_sight(claim: Claim, found: Measure, results: Results) -> None:
    """Raises UntestedError where the claim's layer sees more than the crop; tells what it measured.

    The networks of a claim that names a layer differ in their seeds alone.
    """
    if not claim.layer:
        return
    config = results.settings(found.networks[0])
    for sight in geometry.sights_of(config):
        if sight.layer == claim.layer and sight.share > 1:
            raise UntestedError(
                f"a unit of {sight.layer} sees {sight.field} pixels, and the images have "
                f"{config['crop']}: to it no part is a place of its own (measured: "
                f"{found.parts[0].interval})"
            )


def _controlled(found: Measure) -> list[str]:
    if found.control is None:
        return []
    name, alone, beyond = found.control
    return [f"control, {name}: {alone}; beyond it {beyond}"]


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
        "ratio": claim.ratio,
        "inferred": claim.inferred,
        "control": _control(evidence),
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


def _control(found: Measure | None) -> dict[str, Any] | None:
    if found is None or found.control is None:
        return None
    name, *intervals = found.control
    ends = [dict(zip(("effect", "low", "high"), map(_rounded, i), strict=True)) for i in intervals]
    return {"name": name, "alone": ends[0], "beyond": ends[1]}


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
