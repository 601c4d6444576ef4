"""What a claim of the paper comes to here: rules that follow from the paper's numbers, not ours.

One 95 % interval decides. A claim of a difference ("above") is reproduced where the interval lies
above the margin, the *opposite* where it lies beyond no effect on the other side, and contradicted
where it lies between. A claim of *little* difference is one of equivalence: reproduced where the
interval lies inside the margins on both sides (two one-sided tests), contradicted or the opposite
where it lies outside of one. What is none of these is inconclusive, as is a value without an
interval.

A claim that is made of several cases is reproduced where every interval lies on its side, which
needs
no correction for their number, and contradicted or the opposite where any lies on the other: by
chance one does the sooner the more there are, so that these intervals are wider (Bonferroni).

Where a control was measured, what is found has to go beyond the control too, be it for the claim
or against it: if the interval of the difference holds 0, the measure shows nothing of what the
claim is about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zfrepro.outcome import Measure, Part, UntestedError
from zfrepro.stats import Interval

Verdict = Literal[
    "reproduced", "contradicted", "opposite", "inconclusive", "not shown", "not tested"
]
SIGNS: dict[Verdict, str] = {  # of a verdict, which is never told by colour alone
    "reproduced": "✓",
    "contradicted": "✕",
    "opposite": "⇄",
    "inconclusive": "≈",
    "not shown": "⊘",
    "not tested": "○",
}
VERDICTS = tuple(SIGNS)


@dataclass(frozen=True)
class Rule:
    """Where the effect lies if the paper is right: above `margin`, or within it on both sides.

    Of a `ratio` no effect is 1, and the margin on the other side its inverse; else 0 and minus it.
    """

    side: Literal["above", "little"]
    margin: float = 0.0
    ratio: bool = False

    def __post_init__(self) -> None:
        if self.side not in ("above", "little"):
            raise ValueError(f"a rule's side is {self.side!r}: it takes above or little")
        if self.side == "little" and self.margin <= self.nothing:
            raise ValueError(f"a margin of {self.margin:g} leaves no room for a little difference")

    @property
    def nothing(self) -> float:
        """No effect."""
        return 1.0 if self.ratio else 0.0

    @property
    def other_margin(self) -> float:
        """On the other side of no effect."""
        return 1 / self.margin if self.ratio else -self.margin

    def inside(self, value: float, effect: float) -> float:
        """How far a value lies on the claim's side of the margin; of a ratio its logarithm counts.

        Args:
            effect: of a little difference the margin is that on its side of no effect.
        """
        scale = math.log if self.ratio else float
        if self.side == "above":
            return scale(value) - scale(self.margin)
        if effect < self.nothing:
            return scale(value) - scale(self.other_margin)
        return scale(self.margin) - scale(value)

    def judge(self, found: Measure) -> Verdict:
        """By the intervals of all parts, and beyond the control where there is one.

        Raises:
            UntestedError: there is no part, or one has no value.
        """
        verdict = self.verdict(found.parts)
        if found.control is None or verdict == "inconclusive":
            return verdict
        beyond = found.control.beyond
        shown = beyond.low > 0 if verdict == "reproduced" else beyond.high < 0
        return verdict if shown else "not shown"

    def verdict(self, parts: Sequence[Part]) -> Verdict:
        """By the intervals of all parts.

        Raises:
            UntestedError: there is no part, or one has no value.
        """
        if not parts:
            raise UntestedError("there is no value")
        for part in parts:
            if not math.isfinite(part.interval.mean):
                raise UntestedError(f"the value{part.name and f' of {part.name}'} is not a number")
        if all(self._holds(part.interval) for part in parts):
            return "reproduced"
        wider = [self._against(part.wider) for part in parts]
        return next(
            (name for name in ("opposite", "contradicted") if name in wider), "inconclusive"
        )

    def deciding(self, parts: Sequence[Part]) -> Part:
        """Of several parts the one that is shown: against the claim, or else the least for it.

        One without an interval decides nothing, and is shown where there is no other.
        """
        known = [part for part in parts if not math.isnan(part.interval.low)] or parts
        against = [part for part in known if self._against(part.wider)]
        return max(against or known, key=lambda part: self._doubt(part.interval))

    def _doubt(self, found: Interval) -> float:
        """How far the interval reaches to the claim's other side; most where it has no end."""
        reach = self.margin - found.low if self.side == "above" else found.high - self.margin
        return math.inf if math.isnan(reach) else reach

    def _holds(self, found: Interval) -> bool:
        """False where an end is NaN, as any comparison with it."""
        if self.side == "above":
            return found.low > self.margin
        return self.other_margin < found.low and found.high < self.margin

    def _against(self, found: Interval) -> Verdict | None:
        if self.side == "above":
            if found.high < self.nothing:
                return "opposite"
            return "contradicted" if found.high < self.margin else None
        if found.high < self.other_margin:
            return "opposite"
        return "contradicted" if found.low > self.margin else None
