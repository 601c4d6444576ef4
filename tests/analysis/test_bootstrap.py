"""Intervals against resampling one by one."""

import numpy as np
import pytest

from zfrepro.analysis import bootstrap
from zfrepro.analysis.sample import balanced

VALUES = np.random.default_rng(0).normal(size=30)
PAIRS = np.abs(VALUES[:, None] - VALUES[None])


def test_means_of_images() -> None:
    rng = np.random.default_rng(1)
    drawn = [VALUES[rng.integers(30, size=30)].mean() for _ in range(4000)]
    found = bootstrap.of_images(VALUES)
    assert found.mean == pytest.approx(VALUES.mean())
    np.testing.assert_allclose(found[1:], np.percentile(drawn, [2.5, 97.5]), atol=0.03)


def test_means_of_pairs_leave_out_an_image_with_itself() -> None:
    rng, drawn = np.random.default_rng(1), []
    for _ in range(2000):
        rows = rng.integers(30, size=30)
        different = rows[:, None] != rows[None]
        drawn.append(PAIRS[np.ix_(rows, rows)][different].mean())
    found = bootstrap.of_pairs(PAIRS + 100 * np.eye(30))
    assert found.mean == pytest.approx(PAIRS.sum() / (30 * 29))
    np.testing.assert_allclose(found[1:], np.percentile(drawn, [2.5, 97.5]), atol=0.03)


def test_pairs_without_a_value_do_not_count() -> None:
    some = PAIRS.copy()
    some[0, 1] = some[1, 0] = np.nan
    expected = (PAIRS.sum() - 2 * PAIRS[0, 1]) / (30 * 29 - 2)
    assert bootstrap.of_pairs(some).mean == pytest.approx(expected)
    assert np.isnan(bootstrap.of_pairs(np.full((3, 3), np.nan)).mean)


def test_a_balanced_sample_takes_every_class_in_turn() -> None:
    labels = np.repeat(np.arange(6), [50, 3, 20, 20, 1, 6])
    chosen = balanced(labels, 13, seed=2)
    assert len(set(chosen.tolist())) == 13
    assert set(labels[chosen[:6]]) == set(range(6))
    assert set(labels[chosen[6:11]]) == set(range(6)) - {4}
    assert balanced(labels, 13, seed=2).tolist() == chosen.tolist()
    assert balanced(labels, 13, seed=3).tolist() != chosen.tolist()
    assert sorted(balanced(labels, 1000, seed=0)) == list(range(100))
