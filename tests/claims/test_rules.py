import math

import pytest

from zfrepro.claims.rules import Rule
from zfrepro.outcome import Part, UntestedError, only
from zfrepro.stats import Interval

NONE = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (1.1, 3.0, "reproduced", "contradicted"),
        (-2.0, 0.9, "contradicted", "reproduced"),
        (0.9, 3.0, "inconclusive", "inconclusive"),
        (1.0, 3.0, "inconclusive", "inconclusive"),  # touches the margin
        (NONE, NONE, "inconclusive", "inconclusive"),  # one value: no interval
    ],
)
def test_one_interval_decides(low: float, high: float, above: str, below: str) -> None:
    parts = only(Interval(2.0, low, high))
    assert Rule("above", 1.0).verdict(parts) == above
    assert Rule("below", 1.0).verdict(parts) == below


def case(name: str, low: float, high: float, wider: float = 0.0) -> Part:
    mean = (low + high) / 2
    return Part(name, Interval(mean, low, high), Interval(mean, low - wider, high + wider))


@pytest.mark.parametrize(
    ("parts", "verdict", "shown"),
    [
        ([case("a", 1, 2), case("b", 0.5, 3)], "reproduced", "b"),
        ([case("a", 1, 2), case("b", -0.5, 3)], "inconclusive", "b"),
        ([case("a", -9, 9), case("b", -3, -1)], "contradicted", "b"),
        # below 0 by itself, but not once widened for being one of several
        ([case("a", 1, 2), case("b", -3, -0.1, wider=0.2)], "inconclusive", "b"),
    ],
)
def test_of_several_cases_each_has_to_hold(parts: list[Part], verdict: str, shown: str) -> None:
    assert Rule("above").verdict(parts) == verdict
    assert Rule("above").deciding(parts).name == shown
    flipped = [
        Part(part.name, *(Interval(-i.mean, -i.high, -i.low) for i in part[1:3])) for part in parts
    ]
    assert Rule("below").verdict(flipped) == verdict
    assert Rule("below").deciding(flipped).name == shown


def test_a_case_without_an_interval_leaves_all_open() -> None:
    parts = [case("a", 1, 2), Part("b", Interval(5, NONE, NONE), Interval(5, NONE, NONE))]
    assert Rule("above").verdict(parts) == "inconclusive"
    assert Rule("above").deciding(parts).name == "b"


def test_what_has_no_value_is_not_tested() -> None:
    with pytest.raises(UntestedError, match="no value"):
        Rule("above").verdict([])
    with pytest.raises(UntestedError, match="value of b is not a number"):
        Rule("above").verdict([case("a", 1, 2), Part("b", *2 * (Interval(math.nan, 0, 0),))])


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(ValueError, match="it takes above or below"):
        Rule("beside")  # type: ignore[arg-type]
