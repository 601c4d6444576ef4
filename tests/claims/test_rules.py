import math
from dataclasses import replace

import pytest

from zfrepro.claims.rules import Rule
from zfrepro.outcome import Control, Measure, Part, UntestedError, only
from zfrepro.stats import Interval

NONE = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.1, 3.0, "reproduced"),
        (0.1, 0.9, "contradicted"),  # there is something, and less than the margin
        (-2.0, 0.9, "contradicted"),
        (-2.0, -0.1, "opposite"),
        (0.9, 3.0, "inconclusive"),
        (1.0, 3.0, "inconclusive"),  # touches the margin
        (NONE, NONE, "inconclusive"),  # one value: no interval
    ],
)
def test_one_interval_decides(low: float, high: float, verdict: str) -> None:
    assert Rule("above", 1.0).verdict(only(Interval(2.0, low, high))) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.9, 1.2, "reproduced"),
        (1.3, 1.5, "contradicted"),
        (0.5, 0.7, "opposite"),
        (0.7, 1.1, "inconclusive"),
        (1.1, 1.3, "inconclusive"),
        (NONE, NONE, "inconclusive"),
    ],
)
def test_little_is_equivalence(low: float, high: float, verdict: str) -> None:
    parts = only(Interval(1.0, low, high))
    assert Rule("little", 1.25, ratio=True).verdict(parts) == verdict
    logarithms = only(Interval(0.0, math.log(low), math.log(high)))
    assert Rule("little", math.log(1.25)).verdict(logarithms) == verdict


def test_a_control_has_to_be_surpassed() -> None:
    found = Measure(only(Interval(2, 1, 3)), "images", 9, ())
    assert Rule("above").judge(found) == "reproduced"
    for low, verdict in ((0.1, "reproduced"), (-0.1, "not shown"), (NONE, "not shown")):
        control = Control("other", Interval(1, 0, 2), Interval(1, low, 2))
        assert Rule("above").judge(replace(found, control=control)) == verdict
    control = Control("other", Interval(1, 0, 2), Interval(1, -1, 2))
    against = replace(found, parts=only(Interval(-2, -3, -1)), control=control)
    assert Rule("above").judge(against) == "not shown"
    further = replace(against, control=control._replace(beyond=Interval(-3, -4, -2)))
    assert Rule("above").judge(further) == "opposite"


def case(name: str, low: float, high: float, wider: float = 0.0) -> Part:
    mean = (low + high) / 2
    return Part(name, Interval(mean, low, high), Interval(mean, low - wider, high + wider))


@pytest.mark.parametrize(
    ("parts", "verdict", "shown"),
    [
        ([case("a", 1, 2), case("b", 0.5, 3)], "reproduced", "b"),
        ([case("a", 1, 2), case("b", -0.5, 3)], "inconclusive", "b"),
        ([case("a", -9, 9), case("b", -3, -1)], "opposite", "b"),
        # below 0 by itself, but not once widened for being one of several
        ([case("a", 1, 2), case("b", -3, -0.1, wider=0.2)], "inconclusive", "b"),
    ],
)
def test_of_several_cases_each_has_to_hold(parts: list[Part], verdict: str, shown: str) -> None:
    assert Rule("above").verdict(parts) == verdict
    assert Rule("above").deciding(parts).name == shown


def test_a_case_without_an_interval_leaves_all_open() -> None:
    parts = [case("a", 1, 2), Part("b", Interval(5, NONE, NONE), Interval(5, NONE, NONE))]
    assert Rule("above").verdict(parts) == "inconclusive"
    assert Rule("above").deciding(parts).name == "a"  # and is never shown as deciding


def test_what_has_no_value_is_not_tested() -> None:
    with pytest.raises(UntestedError, match="no value"):
        Rule("above").verdict([])
    with pytest.raises(UntestedError, match="value of b is not a number"):
        Rule("above").verdict([case("a", 1, 2), Part("b", *2 * (Interval(math.nan, 0, 0),))])


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(ValueError, match="it takes above or little"):
        Rule("beside")  # type: ignore[arg-type]
