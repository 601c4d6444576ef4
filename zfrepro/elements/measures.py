"""Measures of several elements: of each image, averaged over the networks."""

import pandas as pd

from zfrepro import stats
from zfrepro.outcome import Measure, only


def over_images(values: "pd.Series[float]") -> Measure:
    """Of values by `network` and `image` the mean; images are drawn anew.

    An image that lacks a network's value has none, and then the mean has none.
    """
    by_image = values.groupby(level="image").agg(lambda each: each.mean(skipna=False))
    by_network = values.groupby(level="network", sort=False).mean()
    networks, count = tuple(map(str, by_network.index)), len(by_image)
    note = f"by network from {by_network.min():+.3g} to {by_network.max():+.3g}"
    return Measure(only(stats.bootstrap(by_image)), "images", count, networks, count, note)
