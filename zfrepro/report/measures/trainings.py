"""What our results say of the claims that tables 2 and 3 make, from stored predictions.

Of one architecture against another the trainings are drawn anew, not the images: the errors of two
trainings of the same net differ by more than another set of images would move their difference. An
ensemble is compared with its own members, so there the images are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import stdev

import numpy as np

from zfrepro import stats
from zfrepro.inference import predictions
from zfrepro.outcome import Measure, UntestedError, only
from zfrepro.report.measures.given import given
from zfrepro.report.networks import FIVE, WIDE
from zfrepro.results import Results

ALEXNETS = ("tab3_alexnet", "fig6_alexnet_seed1", "fig6_alexnet_seed2")
TRAININGS = {"tab3_alexnet": ALEXNETS, "tab3_zfnet": FIVE}  # of a row of table 3; others have one

FULL = (("tab3_alexnet", "tab3_fc{}"), ("tab3_zfnet", "tab3_zfnet_fc{}"))

Weights = Mapping[str, float]


def against(row: str, base: str, sign: float = 1.0) -> Weights:
    return {row: sign, base: -sign}


def resized(units: int, sign: float = 1.0) -> Weights:
    """Full layers of another size against the usual one, in AlexNet and ZFNet alike."""
    return {
        name: value
        for base, row in FULL
        for name, value in ((row.format(units), sign / 2), (base, -sign / 2))
    }


def errors(weights: Weights, results: Results) -> Measure:
    """A weighted sum of the top-1 validation errors of rows of table 3."""
    return _of_trainings(weights, {"val": 1.0}, results)


def overfitting(weights: Weights, results: Results) -> Measure:
    """The same of validation minus train error."""
    return _of_trainings(weights, {"val": 1.0, "train": -1.0}, results)


def _of_trainings(weights: Weights, splits: Weights, results: Results) -> Measure:
    """Contrast over trainings; their spread is that of the nets that were trained several times."""
    groups = {
        row: [
            sum(sign * _error(results, name, split) for split, sign in splits.items())
            for name in TRAININGS.get(row, (row,))
        ]
        for row in dict.fromkeys([*weights, *TRAININGS])
    }
    expected = sum(
        weight * sign * given("table3", row, f"{split}_top1")
        for row, weight in weights.items()
        for split, sign in splits.items()
    )
    networks = tuple(name for row in weights for name in TRAININGS.get(row, (row,)))
    found = stats.t_contrast(groups, weights)
    images = int(results.run(networks[0])["data"]["splits"]["val"]["images"])
    return Measure(
        only(found, expected), "networks", len(networks), networks, images, _spread(groups)
    )


def _spread(groups: Mapping[str, Sequence[float]]) -> str:
    """How far trainings of the same net lie apart."""
    deviations = ", ".join(
        f"{stdev(groups[row]):.1f} of {len(names)} {row.removeprefix('tab3_')}"
        for row, names in TRAININGS.items()
    )
    return f"deviation between trainings: {deviations}"


def _error(results: Results, network: str, split: str) -> float:
    path = results.file(f"predictions/{network}/{split}_ten.parquet")
    return 100 * float(predictions.wrong(path, 1).mean())


def ensemble(row: str, members: Sequence[str], results: Results) -> Measure:
    """How much less often an ensemble is wrong than its members are on average, by image."""
    paths = [results.file(f"predictions/{name}/val_ten.parquet") for name in members]
    each = np.stack([predictions.wrong(path, 1) for path in paths])
    together = predictions.wrong(results.file(f"ensembles/{row}_val_ten.parquet"), 1)
    if each.shape[1] != len(together):
        raise UntestedError(f"results/ensembles/{row}_val_ten.parquet is of other images")
    found = stats.bootstrap_shares(each.mean(0) - together)
    alone = dict.fromkeys(FIVE, "zfnet_1_convnet") | {WIDE: "zfnet_wide_1_convnet_b"}
    published = [given("table2", alone[name], "val_top1") for name in members]
    expected = float(np.mean(published)) - given("table2", row, "val_top1")
    parts = only(found, expected)
    return Measure(parts, "images", len(together), tuple(members), len(together))
