"""Intervals against resampling one by one, and against SciPy and a regression."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from zfrepro import stats
from zfrepro.stats import Interval

VALUES = np.random.default_rng(0).normal(size=30)
PAIRS = np.abs(VALUES[:, None] - VALUES[None])


def test_means_of_images() -> None:
    rng = np.random.default_rng(1)
    drawn = [VALUES[rng.integers(30, size=30)].mean() for _ in range(4000)]
    found = stats.bootstrap(VALUES)
    assert found.mean == pytest.approx(VALUES.mean())
    np.testing.assert_allclose(found[1:], np.percentile(drawn, [2.5, 97.5]), atol=0.03)


def test_means_of_pairs_leave_out_an_image_with_itself() -> None:
    rng, drawn = np.random.default_rng(1), []
    for _ in range(2000):
        rows = rng.integers(30, size=30)
        different = rows[:, None] != rows[None]
        drawn.append(PAIRS[np.ix_(rows, rows)][different].mean())
    found = stats.bootstrap_pairs(PAIRS + 100 * np.eye(30))
    assert found.mean == pytest.approx(PAIRS.sum() / (30 * 29))
    np.testing.assert_allclose(found[1:], np.percentile(drawn, [2.5, 97.5]), atol=0.03)


def test_pairs_without_a_value_do_not_count() -> None:
    some = PAIRS.copy()
    some[0, 1] = some[1, 0] = np.nan
    expected = (PAIRS.sum() - 2 * PAIRS[0, 1]) / (30 * 29 - 2)
    assert stats.bootstrap_pairs(some).mean == pytest.approx(expected)
    assert np.isnan(stats.bootstrap_pairs(np.full((3, 3), np.nan)).mean)


def test_shares_are_drawn_as_images_are() -> None:
    rng = np.random.default_rng(1)
    shares = rng.integers(0, 6, size=400) / 5  # five nets averaged
    found = stats.bootstrap_shares(shares)
    drawn = [100 * rng.choice(shares, 400).mean() for _ in range(4000)]
    assert found.mean == pytest.approx(100 * shares.mean())
    np.testing.assert_allclose([found.low, found.high], np.percentile(drawn, [2.5, 97.5]), atol=0.4)


def test_the_interval_narrows_with_images_and_covers() -> None:
    few, many = (stats.bootstrap_shares(np.arange(n) % 10 == 0) for n in (100, 10_000))
    assert few.mean == many.mean == pytest.approx(10)
    assert many.high - many.low == pytest.approx((few.high - few.low) / 10, rel=0.1)
    certain = stats.bootstrap_shares(np.zeros(50))
    assert (certain.mean, certain.low, certain.high) == (0, 0, 0)


RNG = np.random.default_rng(0)
ONES, OTHERS, THIRD = RNG.normal(3, 1, 4), RNG.normal(1, 1, 6), RNG.normal(9, 1, 3)


def test_few_values_as_by_scipy() -> None:
    for level in (0.95, 0.99):
        expected = scipy.stats.ttest_1samp(ONES, 0).confidence_interval(level)
        found = stats.t_interval(ONES, level)
        assert found == pytest.approx((ONES.mean(), expected.low, expected.high))


def test_two_groups_as_by_scipy() -> None:
    expected = scipy.stats.ttest_ind(ONES, OTHERS).confidence_interval(0.95)
    found = stats.t_contrast({"a": ONES, "b": OTHERS}, {"a": 1, "b": -1})
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
    reach = scipy.stats.t.ppf(0.975, freedom) * error
    effect = wanted @ beta
    assert stats.t_contrast(groups, weights) == pytest.approx(
        (effect, effect - reach, effect + reach)
    )


def test_a_single_value_has_the_spread_of_the_others() -> None:
    groups = {"single": [5.0], "a": ONES}
    found = stats.t_contrast(groups, {"single": 1, "a": -1})
    reach = scipy.stats.t.ppf(0.975, 3) * ONES.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert found.high - found.mean == pytest.approx(reach)
    wider = stats.t_contrast(groups, {"single": 1})
    assert wider.high - wider.mean == pytest.approx(reach / np.sqrt(1 + 1 / 4))


@pytest.mark.parametrize("repeats", [1, 3])
def test_values_that_do_not_differ_have_no_interval(repeats: int) -> None:
    groups = {"a": [3.1] * repeats, "b": [1.1] * repeats}
    found = stats.t_contrast(groups, {"a": 1, "b": -1})
    assert found.mean == 2.0
    assert np.isnan([found.low, found.high]).all()


def covered(intervals: Iterable[Interval], truth: float = 0.0) -> float:
    """In percent."""
    return 100 * float(np.mean([each.low <= truth <= each.high for each in intervals]))


@pytest.mark.parametrize(
    ("networks", "images", "deviations"),
    [
        (5, 60, (0.1, 1.0, 1.0)),
        (5, 60, (0.3, 1.0, 1.0)),
        (5, 20, (0.5, 1.0, 1.0)),
        (2, 15, (0.2, 1.0, 1.0)),  # of the smallest profile
    ],
)
def test_networks_and_images_are_both_drawn(
    networks: int, images: int, deviations: tuple[float, float, float]
) -> None:
    """Coverage of the interval of a mean over crossed random effects."""
    rng = np.random.default_rng(0)
    net, img, both = deviations
    found = [
        stats.two_way(
            net * rng.normal(size=(networks, 1)) + img * rng.normal(size=images)
            + both * rng.normal(size=(networks, images))
        )
        for _ in range(1500)
    ]  # fmt: skip
    assert 93 <= covered(found) <= 97


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.2])
def test_trainings_and_images_are_both_drawn(spread: float) -> None:
    """Of one training of an architecture against three of another, of equal error."""
    rng = np.random.default_rng(1)

    def errors(trainings: int, hard: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        luck = spread * rng.normal(size=(trainings, 1)) + 0.8 * rng.normal(size=(trainings, 400))
        return (hard + luck > 0.8).astype(float)

    found = []
    for _ in range(1000):
        hard = rng.normal(size=400)
        wrong = {"one": errors(1, hard), "three": errors(3, hard), "five": errors(5, hard)}
        found.append(stats.trainings_contrast(wrong, {"one": 1.0, "three": -1.0}))
    assert 93 <= covered(found) <= 97.5


def test_folds_that_share_images_count_for_less() -> None:
    """As Nadeau and Bengio: wider by what is tested of what is trained on; none of two folds."""
    values = [3.0, 4.0, 5.0, 4.5, 3.5]
    alone, shared = (stats.resampled_folds(values, 30, test) for test in (0, 50))
    assert alone == pytest.approx(stats.t_interval(values))
    wider = (shared.high - shared.mean) / (alone.high - alone.mean)
    assert wider == pytest.approx(((1 / 5 + 50 / 30) / (1 / 5)) ** 0.5)
    assert np.isnan(stats.resampled_folds(values[:2], 30, 50).low)


@pytest.mark.parametrize(
    ("train", "test", "most"), [(60, 25, 97), (30, 50, 99)], ids=["caltech256", "caltech101"]
)
def test_folds_of_one_set_cover_what_another_set_would_give(
    train: int, test: int, most: float
) -> None:
    """Of 100 images per class: Student's t takes the folds for five sets.

    The formula is too careful where more are tested than trained on, as of Caltech-101.
    """
    rng = np.random.default_rng(2)
    found, naive = [], []
    for _ in range(1000):
        learned, tested = rng.normal(size=(2, 100))  # what an image is good for, 0 on average
        orders = [rng.permutation(100) for _ in range(5)]
        folds = [
            float(learned[o[:train]].mean() + tested[o[train : train + test]].mean())
            for o in orders
        ]
        found.append(stats.resampled_folds(folds, train, test))
        naive.append(stats.t_interval(folds))
    assert 93 <= covered(found) <= most
    assert covered(naive) < 85


def test_a_biased_bootstrap_is_corrected() -> None:
    """The resamples' middle lies above the estimate, and the interval goes back below it."""
    rng = np.random.default_rng(3)
    drawn = rng.normal(51.9, 1.0, 10_000)
    plain = np.percentile(drawn, [2.5, 97.5])
    found = stats.bias_corrected(50.7, drawn)
    assert found.mean == 50.7
    assert found.low < plain[0] - 0.5
    assert found.high < plain[1] - 0.5
    same = stats.bias_corrected(51.9, drawn)
    np.testing.assert_allclose(same[1:], plain, atol=0.1)


def test_what_does_not_vary_has_no_interval() -> None:
    assert np.isnan(stats.two_way(np.full((3, 4), 2.5)).low)
    assert np.isnan(stats.summed(-2.3, [stats.Term(0.0, 1)]).high)
