"""What a claim of the paper comes to here: rules that follow from the paper's numbers, not ours.

A rule is a side and a margin. One 95 % interval decides: wholly on the claim's side of the margin
it is reproduced, wholly on the other contradicted, and else inconclusive, as is a value without an
interval. A claim that is made of several cases is reproduced where every interval lies on its side,
which needs no correction for their number, and contradicted where any lies on the other: by chance
one does the sooner the more there are, so that these intervals are wider (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zfrepro.outcome import Part, UntestedError
from zfrepro.stats import Interval

Verdict = Literal["reproduced", "contradicted", "inconclusive", "not tested"]
SIGNS: dict[Verdict, str] = {  # of a verdict, which is never told by colour alone
    "reproduced": "✓",
    "contradicted": "✕",
    "inconclusive": "≈",
    "not tested": "○",
}
VERDICTS = tuple(SIGNS)


@dataclass(frozen=True)
class Rule:
    """`side` is where the effect lies of the `margin`, if the paper is right."""

    side: Literal["above", "below"]
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.side not in ("above", "below"):
            raise ValueError(f"a rule's side is {self.side!r}: it takes above or below")

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
        if any(self._fails(part.wider) for part in parts):
            return "contradicted"
        return "inconclusive"

    def deciding(self, parts: Sequence[Part]) -> Part:
        """Of several parts the one that is shown: against the claim, or else the least for it."""
        against = [part for part in parts if self._fails(part.wider)]
        return max(against or parts, key=lambda part: self._doubt(part.interval))

    def _doubt(self, found: Interval) -> float:
        """How far the interval reaches to the claim's other side; most where it has no end."""
        reach = self.margin - found.low if self.side == "above" else found.high - self.margin
        return math.inf if math.isnan(reach) else reach

    def _holds(self, found: Interval) -> bool:
        """False where an end is NaN, as any comparison with it."""
        return found.low > self.margin if self.side == "above" else found.high < self.margin

    def _fails(self, found: Interval) -> bool:
        return found.high < self.margin if self.side == "above" else found.low > self.margin
