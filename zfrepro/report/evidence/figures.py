"""What our results say of the claims that the figures and table 1 make.

Of a network's behaviour on images these are drawn anew, each one's value averaged over the
networks; of architectures and of training the networks are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from zfrepro import paper
from zfrepro.analysis import bootstrap, student
from zfrepro.report.claims import Evidence, shown
from zfrepro.report.results import Results
from zfrepro.report.verdicts import UntestedError, only

IMAGES = ["network", "image"]  # what a row of a figure's table is of


# Figure 4: by network, how much later each layer settles than the one below


def settling(results: Results) -> Evidence:
    """Epochs by which a layer settles later than the one below; other measures in the note."""
    table = results.table("figures/figure4/settled.csv")
    found = {
        name: student.of_few(slopes(rows))
        for name, rows in table.set_index(["network", "layer"]).items()
    }
    settled, *others = found.items()
    said = "; ".join(f"{name}: {shown(each)} points a layer" for name, each in others)
    networks = tuple(table["network"].unique())
    return Evidence(only(settled[1]), "networks", len(networks), networks, note=said)


def slopes(values: pd.Series[float]) -> list[float]:
    """Of each network the least-squares slope over its layers; by network and layer, in order."""
    return [
        float(np.polyfit(range(len(rows)), rows, 1)[0])
        for _, rows in values.groupby(level="network", sort=False)
    ]


# Figure 5: of each image, relative distances of its features


def shift(kind: str, results: Results) -> Evidence:
    """How much further the first layer moves than the last under small transformations."""
    table = results.table("figures/figure5/shifts.csv")
    first, *_, last = table["layer"].unique()
    mine = table[table["kind"] == kind]
    means = mine.pivot_table(index=IMAGES, columns="layer", values="small", dropna=False)
    return _of_images(means[first] - means[last])


def rotation(results: Results) -> Evidence:
    """How much further the last layer moves when turned than when moved or enlarged."""
    table = results.table("figures/figure5/shifts.csv")
    last = table[table["layer"] == table["layer"].unique()[-1]]
    means = last.pivot_table(index=IMAGES, columns="kind", values="whole", dropna=False)
    return _of_images(
        means["rotation"] - means[["translation", "scale"]].mean(axis=1, skipna=False)
    )


def _of_images(values: pd.Series[float]) -> Evidence:
    """Of values by network and image."""
    by_image = values.groupby(level="image").agg(lambda each: each.mean(skipna=False))
    by_network = values.groupby(level="network", sort=False).mean()
    networks, count = tuple(by_network.index), len(by_image)
    note = f"by network from {by_network.min():+.3g} to {by_network.max():+.3g}"
    return Evidence(only(bootstrap.of_images(by_image)), "images", count, networks, count, note)


# Figure 6: a value a network


def first_layers(
    measure: str, larger: str, smaller: str, scale: float, beside: str, results: Results
) -> Evidence:
    """How much larger a measure is in one kind of network than in another.

    Args:
        scale: 100 makes percent of a share.
        beside: another measure of the same, for the note.
    """
    table = results.table("figures/figure6/measures.csv")
    if larger == "unclipped":
        _check_clipping(table)
    found = student.of_contrast(_by_kind(table, measure), {larger: scale, smaller: -scale})
    other = student.of_contrast(_by_kind(table, beside), {larger: 1, smaller: -1})
    kinds = results.recipe("figure6")
    networks = (*kinds[larger], *kinds[smaller])
    note = f"{beside.replace('_', ' ')}: {shown(other)}"
    return Evidence(only(found), "networks", len(networks), networks, note=note)


def _by_kind(table: pd.DataFrame, measure: str) -> dict[str, list[float]]:
    return {str(kind): list(rows[measure]) for kind, rows in table.groupby("kind")}


def _check_clipping(table: pd.DataFrame) -> None:
    """That the network without clipping is another than the one with it of the same seed."""
    rows = {kind: rows.drop(columns="kind") for kind, rows in table.groupby("kind")}
    if len(rows["unclipped"].merge(rows["zfnet"])):
        raise UntestedError(
            "no filter reaches the limit in so short a training: the network without clipping is "
            "the one with it, weight for weight"
        )


# Figure 7: of each image, what a square costs


def occlusion(results: Results) -> Evidence:
    table = results.table("figures/figure7/drops.csv").dropna(subset=["score"])
    if table.empty:
        raise UntestedError(f"profile {results.profile} has no images with known objects")
    return _of_images(100 * table.set_index(IMAGES)["score"])


# Table 1: of each pair of faces, how much less they differ at a part than at random places


def correspondence(results: Results) -> Evidence:
    """At the first of the two layers."""
    below = _below_random(results, "hamming")
    other = next(iter(_below_random(results, "disagreement").values()))
    note = f"of the features that change in both images {shown(bootstrap.of_pairs(other))}"
    return _of_pairs(next(iter(below.values())), results, note, paper=_paper_below("layer5"))


def correspondence_lost(results: Results) -> Evidence:
    """At the first of the two layers minus at the second."""
    first, second = _below_random(results, "hamming").values()
    note = f"the second layer by itself {shown(bootstrap.of_pairs(second))}"
    given = _paper_below("layer5") - _paper_below("layer7")
    return _of_pairs(first - second, results, note, paper=given)


def _below_random(results: Results, measure: str) -> dict[str, bootstrap.Values]:
    """(N, N) by layer, the mean over the parts."""
    [images] = results.numbers("figures/figure8/measures.json", ["images"])
    if images < 2:
        raise UntestedError(f"profile {results.profile} has no faces with landmarks")
    table = results.table("figures/figure8/pairs.csv")
    means = table.groupby(["layer", "image", "other"], sort=False)[measure].mean()
    numbers = sorted({*table["image"], *table["other"]})
    found = {}
    for layer in table["layer"].unique():
        rows = means[layer].reset_index()
        half = rows.pivot_table(index="image", columns="other", values=measure)
        square = half.reindex(index=numbers, columns=numbers).to_numpy()
        found[layer] = np.where(np.isnan(square), square.T, square)
    return found


def _of_pairs(values: bootstrap.Values, results: Results, note: str, paper: float) -> Evidence:
    recipe, images = results.recipe("figure8"), len(values)
    networks = (recipe["network"], *recipe["others"])
    found = only(bootstrap.of_pairs(values), paper)
    return Evidence(found, "images", images, networks, images, note)


def _paper_below(layer: str) -> float:
    means = paper.table("table1").set_index("occlusion")[f"{layer}_mean"]
    return float(means["random"] - means.drop("random").mean())
