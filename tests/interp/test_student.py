import numpy as np
import pytest
from scipy import stats
from zfrepro.analysis import student

RNG = np.random.default_rng(0)
ONES, OTHERS, THIRD = RNG.normal(3, 1, 4), RNG.normal(1, 1, 6), RNG.normal(9, 1, 3)


def test_few_values_as_by_scipy() -> None:
    for level in (0.95, 0.99):
        expected = stats.ttest_1samp(ONES, 0).confidence_interval(level)
        found = student.of_few(ONES, level)
        assert found == pytest.approx((ONES.mean(), expected.low, expected.high))


def test_two_groups_as_by_scipy() -> None:
    expected = stats.ttest_ind(ONES, OTHERS).confidence_interval(0.95)
    found = student.of_contrast({"a": ONES, "b": OTHERS}, {"a": 1, "b": -1})
    assert found == pytest.approx((ONES.mean() - OTHERS.mean(), expected.low, expected.high))


def test_a_contrast_is_that_of_a_regression_on_the_groups() -> None:
    groups = {"a": ONES, "b": OTHERS, "c": THIRD}
    weights = {"a": 0.5, "b": 0.5, "c": -1.0}
    design = np.repeat(np.eye(3), [len(values) for values in groups.values()], axis=0)
    values = np.concatenate(list(groups.values()))
    beta, squares, *_ = np.linalg.lstsq(design, values, rcond=None)
    wanted = np.array(list(weights.values()))
    freedom = len(values) - 3
    error = np.sqrt(squares[0] / freedom * wanted @ np.linalg.inv(design.T @ design) @ wanted)
    reach = stats.t.ppf(0.975, freedom) * error
    effect = wanted @ beta
    assert student.of_contrast(groups, weights) == pytest.approx(
        (effect, effect - reach, effect + reach)
    )


def test_a_single_value_has_the_spread_of_the_others() -> None:
    groups = {"single": [5.0], "a": ONES}
    found = student.of_contrast(groups, {"single": 1, "a": -1})
    reach = stats.t.ppf(0.975, 3) * ONES.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert found.high - found.mean == pytest.approx(reach)
    wider = student.of_contrast(groups, {"single": 1})
    assert wider.high - wider.mean == pytest.approx(reach / np.sqrt(1 + 1 / 4))


@pytest.mark.parametrize("repeats", [1, 3])
def test_values_that_do_not_differ_have_no_interval(repeats: int) -> None:
    groups = {"a": [3.1] * repeats, "b": [1.1] * repeats}
    found = student.of_contrast(groups, {"a": 1, "b": -1})
    assert found.mean == 2.0
    assert np.isnan([found.low, found.high]).all()
