"""What our results say of tables 2 to 7: the measures that claims rest on, from stored results."""

from collections.abc import Callable, Mapping
from functools import partial

from zfrepro.outcome import Found, Measure, UntestedError
from zfrepro.report.measures import folds, trainings
from zfrepro.report.measures.folds import Rival
from zfrepro.report.measures.trainings import against, resized
from zfrepro.report.networks import FIVE, WIDE
from zfrepro.results import Results

CALTECH101 = Rival("caltech101", "table4", "jianchao_2009", "acc_30")
CALTECH256 = Rival("caltech256", "table5", "bo_2013", "acc_60")

MEASURES: Mapping[str, Callable[[Results], Measure]] = {
    "table2/zfnet": partial(trainings.lower, against("tab3_zfnet", "tab3_alexnet")),
    "table2/five": partial(trainings.members, "zfnet_5_convnets_a", FIVE),
    "table2/six": partial(
        trainings.one_more, "zfnet_6_convnets_a_and_b", "zfnet_5_convnets_a", (*FIVE, WIDE)
    ),
    "table3/parameters": partial(trainings.parameters, "tab3_no_fc67", "tab3_alexnet"),
    "table3/fc7": partial(trainings.ratio, against("tab3_no_fc7", "tab3_alexnet")),
    "table3/fc67": partial(trainings.ratio, against("tab3_no_fc67", "tab3_alexnet")),
    "table3/conv34": partial(trainings.ratio, against("tab3_no_conv34", "tab3_alexnet")),
    "table3/both": partial(trainings.ratio, against("tab3_no_conv34_fc67", "tab3_alexnet")),
    "table3/narrow-full": partial(trainings.resized_ratio, resized(2048)),
    "table3/wide-full": partial(trainings.resized_ratio, resized(8192)),
    "table3/wide-conv": partial(trainings.wider_gains, against(WIDE, "tab3_zfnet")),
    "table3/overfitting": partial(trainings.overfitting, against(f"{WIDE}_fc8192", "tab3_zfnet")),
    "table4/scratch": partial(folds.gain, "caltech101", "table4"),
    "table4/cited": partial(folds.rival, CALTECH101, 30),
    "table5/scratch": partial(folds.gain, "caltech256", "table5"),
    "table5/cited": partial(folds.rival, CALTECH256, 60),
    "figure9/cited": partial(folds.rival, CALTECH256, 6),
    "table6/cited": folds.voc,
    "table7/caltech101": partial(folds.depth, "caltech101", "caltech101_30"),
    "table7/caltech256": partial(folds.depth, "caltech256", "caltech256_60"),
}


def of_tables(results: Results) -> dict[str, Found]:
    """All, by name; what cannot be measured says why."""
    return {name: _tried(measure, results) for name, measure in MEASURES.items()}


def _tried(measure: Callable[[Results], Measure], results: Results) -> Found:
    try:
        return measure(results)
    except UntestedError as reason:
        return reason
    except FileNotFoundError as error:  # a network that has not been trained
        return UntestedError(str(error))
