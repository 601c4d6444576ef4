"""Measures of several elements: values of networks and images, both of which are drawn anew."""

import math

import numpy as np
import pandas as pd

from zfrepro import paper, stats
from zfrepro.outcome import Control, Measure, only
from zfrepro.stats import Interval


def given(table: str, row: str, column: str) -> float:
    """One number of the paper's, for arithmetic; NaN where it gives none."""
    found = paper.published(table, row, column)
    return math.nan if found is None else found


def over_images(
    values: "pd.Series[float]", control: "pd.Series[float] | None" = None, name: str = "control"
) -> Measure:
    """The mean of values by `network` and `image`.

    An image that lacks a network's value has none, and then the mean has none.

    Args:
        control: the same where what the claim names is absent; compared value by value.
        name: what the control is.
    """
    table = _by_network(values)
    networks, count = tuple(map(str, table.index)), table.shape[1]
    by_network = table.mean(axis=1)
    note = f"by network from {by_network.min():+.3g} to {by_network.max():+.3g}"
    beside = None
    if control is not None:
        beside = Control(name, _interval(control), _interval(values - control))
    return Measure(only(_interval(values)), "images", count, networks, count, note, beside)


def _interval(values: "pd.Series[float]") -> Interval:
    table = _by_network(values).to_numpy(dtype=np.float64)
    if np.isnan(table).any():
        return Interval(np.nan, np.nan, np.nan)
    return stats.two_way(table)


def _by_network(values: "pd.Series[float]") -> pd.DataFrame:
    """A row for each network, a column for each image."""
    rows = values.rename("value").reset_index()
    return rows.pivot_table(
        index="network", columns="image", values="value", sort=False, dropna=False
    )
