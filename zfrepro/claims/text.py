"""The claims for people: a table for a terminal, one for Markdown, and a sentence a claim."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, exp
from typing import Any

import pandas as pd

from zfrepro.claims.rules import SIGNS, VERDICTS, Rule
from zfrepro.render.tables import markdown

MOST = 100  # times as many: beyond it is no plan

Entry = Mapping[str, Any]  # a claim of claims.json


def terminal(entries: Sequence[Entry]) -> str:
    """A line a claim, the verdict first."""
    return "".join(
        f"{SIGNS[each['verdict']]} {each['verdict']:13}{place(each):10}{each['claim']:56}"
        f"{effect(each)}".rstrip()
        + "\n"
        for each in entries
    )


def table(entries: Sequence[Entry]) -> str:
    """The same in Markdown, with the paper's number and what ours was measured on."""
    rows = [
        {
            "verdict": each["verdict"],
            "claim": each["claim"],
            "place": place(each),
            "here": effect(each),
            "paper": "" if each["paper_effect"] is None else f"{each['paper_effect']:+.3g}",
            "measured on": basis(each),
        }
        for each in entries
    ]
    return markdown(pd.DataFrame(rows))


def page(profile: str, entries: Sequence[Entry]) -> str:
    """claims.md."""
    head = (
        f"# What of the paper is borne out at profile {profile}\n\n{tally(entries)}.\n\n"
        "Each rule follows from the paper's numbers, not from ours. A number is the effect that "
        'the claim is about [95 % interval]; "paper" is the paper\'s own by the same measure.\n\n'
    )
    return f"{head}{table(entries)}\n{''.join(sentences(entries))}"


def tally(entries: Sequence[Entry]) -> str:
    """`5 reproduced, 1 contradicted`."""
    counts = Counter(each["verdict"] for each in entries)
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])


def sentences(entries: Sequence[Entry]) -> Iterator[str]:
    """The paper's finding beside ours, and the rule below; an item of a Markdown list a claim."""
    for each in entries:
        note = f" ({each['note']})" if each["note"] else ""
        found = f"here, over {basis(each)}, {effect(each)}{note}"
        if each["effect"] is None:
            found = f"here: {each['note']}"
        yield (
            f"* **{each['claim']}** ({place(each)}, section {each['section']}): "
            f"{each['verdict']}. The paper: {each['paper']}; {found}.\n"
            f"  *Measure:* {each['measure']}. *Rule:* {each['rule']}. {power(each)}".rstrip()
            + "\n"
        )


def effect(each: Entry) -> str:
    """`+1.2 [+0.3, +2.1] points`, of a ratio without signs; empty where there is none."""
    if each["effect"] is None:
        return ""
    sign = "" if each.get("ratio") else "+"
    ends = "" if each["low"] is None else f" [{each['low']:{sign}.3g}, {each['high']:{sign}.3g}]"
    return f"{each['effect']:{sign}.3g}{ends} {each['unit']}".rstrip()


def power(each: Entry) -> str:
    """The smallest effect that so wide an interval can show, and what would decide an open claim.

    An interval narrows with the root of what it is over: of n, where it is w wide and the effect d
    from the margin, n (w / 2 d)^2 would decide if the effect stayed as it is. Nothing is said where
    that is no more than there are: then it is not their number that leaves the claim open.
    """
    if each["effect"] is None or each["low"] in (None, each["high"]):
        return ""
    rule = Rule(each["side"], each["margin"], each["ratio"])
    low, high, off = (rule.inside(each[name], each["effect"]) for name in ("low", "high", "effect"))
    half = abs(high - low) / 2
    if each["ratio"]:
        said = f"The smallest ratio that this could have told from 1: {exp(half):.3g}"
    else:
        said = f"The smallest effect that this could have shown: {half:.3g} {each['unit']}"
    if each["verdict"] == "inconclusive" and half / MOST**0.5 < abs(off) < half:
        needed = ceil(each["count"] * (half / off) ** 2)
        said += f"; about {needed:,} {each['resampled']} would decide it, if it stays as it is"
        said += f": {remedy(each)}, which `python -m zfrepro.plan` gives the time of"
    return f"{said}."


def remedy(each: Entry) -> str:
    """Where more of what a claim's interval is over are asked for, and the command after it."""
    stage = each["stage"]
    section = f"`{stage}.{each['resampled']}` in conf/analysis.yaml"
    of_stage = section if each["element"].startswith("figure") else "`data.val_images` in conf/"
    ways = {
        "networks": "`python -m zfrepro.train +experiment=NAME seed=N`, each a file of its own in "
        "conf/experiment and named where its fellows are",
        "folds": "`folds` of the set in conf/transfer.yaml",
        "images": of_stage,
        "maps": section,
    }
    return f"{ways[each['resampled']]} and `dvc repro {stage}`"


def basis(each: Entry) -> str:
    """What is drawn anew, and how much else it rests on: `60 images, 5 networks`."""
    if each["effect"] is None:
        return ""
    counts = {"images": each["images"], "networks": len(each["networks"]), "folds": None}
    counts[each["resampled"]] = each["count"]
    order = [each["resampled"], *(name for name in counts if name != each["resampled"])]
    return ", ".join(
        f"{counts[name]} {name if counts[name] != 1 else name[:-1]}"
        for name in order
        if counts[name]
    )


def place(each: Entry) -> str:
    """`figure 5` of figure5."""
    return re.sub(r"(\D+)(\d+)", r"\1 \2", each["element"])
