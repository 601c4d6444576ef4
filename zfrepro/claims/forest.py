"""Draws the claims as a forest plot: each effect and its interval, by distance from the margin."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zfrepro.claims.rules import Rule
from zfrepro.claims.text import effect, place
from zfrepro.files import atomic_path
from zfrepro.render.style import DPI, plt

LOOKS = {  # of a verdict: colour and marker, which tell them apart without the colour too
    "reproduced": ("#0072b2", "o"),
    "contradicted": ("#d55e00", "X"),
    "opposite": ("#a3316f", "<"),
    "inconclusive": ("#5f6b76", "D"),
    "not shown": ("#8a6d1f", "s"),
    "not tested": ("#7d8894", "_"),
}
ROW = 0.285  # inches
PLOT = (0.335, 0.625)  # left and right, as shares of the picture's width
COLUMNS = {
    "place": 0.006,
    "claim": 0.055,
    "verdict": 0.632,
    "effect": 0.71,
    "paper": 0.994,
}  # alike

Entry = dict[str, Any]  # a claim of claims.json


def draw(entries: Sequence[Entry], path: Path, title: str) -> None:
    """A row a claim, in the order given."""
    figure, axis = plt.subplots(figsize=(14, 1.7 + ROW * len(entries)))
    figure.subplots_adjust(left=PLOT[0], right=PLOT[1], top=0.93, bottom=0.1)
    axis.axvspan(0, 1.12, color=LOOKS["reproduced"][0], alpha=0.06, linewidth=0)
    axis.axvline(0, color="0.3", linewidth=1)
    for row, each in enumerate(entries):
        _write(axis, row, each)
        if each["effect"] is not None:
            _plot(axis, row, each)
    axis.set(xlim=(-1.12, 1.12), ylim=(len(entries) - 0.4, -0.6), yticks=[])
    axis.set_xticks([-0.65, 0, 0.65], ["against the paper", "margin", "as in the paper"])
    axis.tick_params(length=0, labelsize=8.5)
    axis.set_xlabel("each row on a scale of its own; bars: 95 % intervals", fontsize=8.5)
    axis.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(title, x=COLUMNS["place"], ha="left", fontsize=11)
    figure.legend(handles=_handles(entries), loc="lower left", ncols=5, frameon=False, fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
    plt.close(figure)


def _write(axis: Axes, row: int, each: Entry) -> None:
    """The words and numbers on both sides of the plot."""
    given = each["paper_effect"]
    untested = each["effect"] is None
    words = {
        "place": place(each),
        "claim": each["claim"],
        "verdict": each["verdict"],
        "effect": textwrap.shorten(each["note"], 62, placeholder=" ...")
        if untested
        else effect(each),
        "paper": "" if given is None else f"paper {given:+.3g}",
    }
    colours = {"place": "0.4", "verdict": LOOKS[each["verdict"]][0]}
    for name, text in words.items():
        axis.text(
            (COLUMNS[name] - PLOT[0]) / (PLOT[1] - PLOT[0]), row, text,
            transform=axis.get_yaxis_transform(), va="center", fontsize=8.5,
            ha="right" if name == "paper" else "left", color=colours.get(name, "black"),
            weight="bold" if name == "verdict" else "normal",
        )  # fmt: skip


def _plot(axis: Axes, row: int, each: Entry) -> None:
    colour, marker = LOOKS[each["verdict"]]
    at = positions(each)
    if each["low"] is not None:
        axis.plot([at["low"], at["high"]], [row, row], color=colour, linewidth=2.4, alpha=0.7)
    axis.plot(at["effect"], row, marker, color=colour, markersize=6)
    if each["paper_effect"] is not None:
        axis.plot(at["paper_effect"], row, "|", color="black", markersize=10, markeredgewidth=1.6)


def positions(each: Entry) -> dict[str, float]:
    """Where a row's numbers lie: the margin at 0, the claim's side above, the furthest 1 away."""
    rule = Rule(each["side"], each["margin"], each["ratio"])
    names = ("effect", "low", "high", "paper_effect")
    away = {
        name: rule.inside(each[name], each["effect"]) for name in names if each[name] is not None
    }
    furthest = max(map(abs, away.values())) or 1.0
    return {name: value / furthest for name, value in away.items()}


def _handles(entries: Sequence[Entry]) -> list[Line2D]:
    counts = {name: sum(each["verdict"] == name for each in entries) for name in LOOKS}
    handles = [
        Line2D([], [], color=colour, marker=marker, linewidth=0, label=f"{counts[name]} {name}")
        for name, (colour, marker) in LOOKS.items()
    ]
    mark = Line2D(
        [], [], color="black", marker="|", linewidth=0, markersize=10, label="the paper's"
    )
    return [*handles, mark]
