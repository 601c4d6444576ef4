"""What our results say of each claim of `claims.toml`: a function an id, from the stages' files."""

from functools import partial

from zfrepro.report.claims import Measure
from zfrepro.report.evidence import figures, folds, trainings
from zfrepro.report.evidence.folds import Rival
from zfrepro.report.evidence.trainings import against, resized
from zfrepro.report.networks import FIVE, WIDE

CALTECH101 = Rival("caltech101", "table4", "jianchao_2009", "acc_30")
CALTECH256 = Rival("caltech256", "table5", "bo_2013", "acc_60")

MEASURES: dict[str, Measure] = {
    "figure4-order": figures.settling,
    "figure5-translation": partial(figures.shift, "translation"),
    "figure5-scale": partial(figures.shift, "scale"),
    "figure5-rotation": figures.rotation,
    "figure6-clipping": partial(
        figures.first_layers, "dominance", "unclipped", "zfnet", 1.0, "largest_share"
    ),
    "figure6-dead": partial(figures.first_layers, "blank", "alexnet", "zfnet", 100.0, "dead"),
    "figure6-frequencies": partial(
        figures.first_layers, "middle", "zfnet", "alexnet", 100.0, "low"
    ),
    "figure6-aliasing": partial(
        figures.first_layers, "layer2_high", "alexnet", "zfnet", 100.0, "grid_excess"
    ),
    "figure7-object": figures.occlusion,
    "table1-layer5": figures.correspondence,
    "table1-layer7": figures.correspondence_lost,
    "table2-zfnet": partial(trainings.errors, against("tab3_alexnet", "tab3_zfnet")),
    "table2-five": partial(trainings.ensemble, "zfnet_5_convnets_a", FIVE),
    "table2-six": partial(trainings.ensemble, "zfnet_6_convnets_a_and_b", (*FIVE, WIDE)),
    "table3-conv34": partial(trainings.errors, against("tab3_no_conv34", "tab3_alexnet")),
    "table3-fc67": partial(trainings.errors, against("tab3_no_fc67", "tab3_alexnet")),
    "table3-both": partial(trainings.errors, against("tab3_no_conv34_fc67", "tab3_alexnet")),
    "table3-narrow-full": partial(trainings.errors, resized(2048, 1.0)),
    "table3-wide-full": partial(trainings.errors, resized(8192, -1.0)),
    "table3-wide-conv": partial(trainings.errors, against(WIDE, "tab3_zfnet", -1.0)),
    "table3-overfitting": partial(trainings.overfitting, against(f"{WIDE}_fc8192", "tab3_zfnet")),
    "table4-scratch": partial(folds.gain, "caltech101", "table4"),
    "table4-cited": partial(folds.rival, CALTECH101, 30),
    "table5-scratch": partial(folds.gain, "caltech256", "table5"),
    "table5-cited": partial(folds.rival, CALTECH256, 60),
    "figure9-scratch": folds.few_images,
    "figure9-cited": partial(folds.rival, CALTECH256, 6),
    "table6-cited": folds.voc,
    "table7-caltech101": partial(folds.depth, "caltech101", "caltech101_30"),
    "table7-caltech256": partial(folds.depth, "caltech256", "caltech256_60"),
}
