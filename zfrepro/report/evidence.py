"""What our results say of each claim: one function a claim, from the stages' files."""

from __future__ import annotations

from zfrepro.analysis import bootstrap
from zfrepro.report.claims import Evidence, Measure
from zfrepro.report.networks import FIVE
from zfrepro.report.results import Results
from zfrepro.report.verdicts import only

FIGURE5 = "figures/figure5/measures.json"
FIGURE7 = "figures/figure7/drops.csv"


def figure5(kind: str) -> Measure:
    """How much further layer 1 moves than layer 7."""

    def measure(results: Results) -> Evidence:
        keys = [f"{kind}/difference{end}" for end in ("", "_low", "_high")]
        *ends, images = results.numbers(FIGURE5, [*keys, "images"])
        return Evidence(only(bootstrap.Interval(*ends)), "images", int(images), FIVE, int(images))

    return measure


def figure7(results: Results) -> Evidence:
    """How much more it costs to cover the object than its surroundings, in points."""
    table = results.table(FIGURE7).dropna(subset=["score"])
    by_image = 100 * table.groupby("image")["score"].mean()
    names = tuple(table["network"].unique())
    count = len(by_image)
    return Evidence(only(bootstrap.of_images(by_image)), "images", count, names, count)


MEASURES: dict[str, Measure] = {
    "figure5-translation": figure5("translation"),
    "figure5-scale": figure5("scale"),
    "figure7-object": figure7,
}
