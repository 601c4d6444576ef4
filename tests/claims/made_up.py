"""Results that bear out every claim of the paper, or the reverse, or nothing."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from zfrepro import config
from zfrepro.elements.architecture import stage as architecture
from zfrepro.elements.correspondence import stage as correspondence
from zfrepro.elements.errors.measure import ALEXNETS
from zfrepro.elements.errors.tables import FIVE, WIDE
from zfrepro.elements.evolution.stage import SETTLED, order
from zfrepro.elements.features import stage as features
from zfrepro.elements.invariance import stage as invariance
from zfrepro.elements.occlusion import stage as occlusion
from zfrepro.elements.tables import of_tables
from zfrepro.outcome import MEASURES, Found, Measure, write_measures
from zfrepro.results import Results

PROFILE = "miniature"
IMAGES = 400  # predicted; a network's error is a multiple of a quarter of a percent
LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc7"]
KINDS = {
    "unclipped": ["fig6_zfnet_no_clip"], "alexnet": list(ALEXNETS), "zfnet": list(FIVE[:3]),
    "stride2": ["fig6_alexnet_stride2"], "kernel7": ["fig6_alexnet_kernel7"],
}  # fmt: skip
NOISE = (0.5, -0.5, 0.25, -0.25, 0.0)  # sums to 0


def write_results(root: Path, sign: int) -> None:
    """A folder `results/` whose effects lie on the paper's side of each margin (`sign` 1), on the
    other (-1), or at the margin (0), with some noise.
    """
    figures(root / "figures", sign)
    networks(root, sign)
    transfer(root, sign)
    probe(root, sign)
    write_measures(root / "tables" / MEASURES, of_tables(Results(root)))


def figures(root: Path, sign: int) -> None:
    """The measures of each figure's stage, from tables as it makes them."""
    means = np.array([0.2 * sign + each / 10 for each in NOISE * 8])
    specific = {"conv1": 0.5 + np.array(NOISE * 8) / 20}
    specific["conv5"] = specific["conv1"] + 0.2 * sign
    blank = dict.fromkeys(specific, specific["conv1"])
    write_measures(root / "figure2" / MEASURES, {
        "variation": features.against_untrained(means, np.array(NOISE * 8) / 10, FIVE[0]),
        "purity/deeper": features.deeper(specific, blank, ["conv1", "conv5"], FIVE[0]),
    })  # fmt: skip
    slopes = [sign + each for each in NOISE]
    names = (SETTLED, "correlation before the end", "strongest image changed")
    settled = [
        {"network": network, "layer": layer, **dict.fromkeys(names, 10 + slope * depth)}
        for network, slope in zip(FIVE, slopes, strict=True)
        for depth, layer in enumerate(LAYERS[:5])
    ]
    write_measures(root / "figure4" / MEASURES, {"order": order(pd.DataFrame(settled))})
    write_measures(root / "figure5" / MEASURES, figure5(pd.DataFrame(shifts(sign))))
    write_measures(root / "figure6" / MEASURES, figure6(pd.DataFrame(first_layers(sign))))
    drops = [
        {"network": network, "image": image, "on": score, "off": 0, "score": score, "elsewhere": 0}
        for network in FIVE for image in range(20)
        for score in [0.1 * sign + NOISE[image % 5] / 10]
    ]  # fmt: skip
    write_measures(root / "figure7" / MEASURES, occlusion.measures(pd.DataFrame(drops)))
    write_measures(root / "figure8" / MEASURES, table1(sign))


def figure5(table: pd.DataFrame) -> dict[str, Found]:
    settings = {"layers": ["conv1", "fc7"], "small": ["translation", "scale"]}
    turns = table[(table["kind"] == "rotation") & (table["layer"] == "fc7") & table["trained"]]
    turned = turns.assign(symmetry=turns["image"] / 20, recovery=0.2 * (turns["whole"] - 0.5))
    effect = 0.2 * turns["whole"].mean() - 0.1
    turned.loc[turned["symmetry"] < 0.4, "recovery"] -= effect
    found = invariance.measures(table, settings)
    return found | {"rotation/symmetric": invariance.of_symmetric(turned)}


def figure6(table: pd.DataFrame) -> dict[str, Found]:
    return architecture.measures(table, KINDS)


def first_layers(sign: int) -> list[dict[str, object]]:
    noise = {"unclipped": (0.0,), "alexnet": NOISE[:3], "zfnet": NOISE[1:4]}
    noise |= dict.fromkeys(("stride2", "kernel7"), (0.0,))
    larger = {"dominance": ("unclipped",), "middle": ("zfnet", "kernel7")}
    measures = ("dominance", "largest_share", "blank", "dead", "middle", "low", "high", "aliased",
                "layer2_high", "grid_excess")  # fmt: skip
    return [
        {"kind": kind, "seed": seed, **{
            name: 10 + each + 5 * sign * (kind in larger.get(name, ("alexnet",)))
            for name in measures
        }}
        for kind, values in noise.items() for seed, each in enumerate(values)
    ]  # fmt: skip


def shifts(sign: int) -> list[dict[str, object]]:
    """Beside each network the same before its training, all of whose layers move alike."""
    rows = []
    kinds, layers = ("translation", "scale", "rotation"), ("conv1", "fc7")
    for network, image, kind, layer, trained in itertools.product(
        FIVE, range(20), kinds, layers, (True, False)
    ):
        moved, noise = 0.2 * sign * trained, NOISE[image % 5] / 5 * trained
        small = 0.5 + (moved + noise if layer == "conv1" else 0)
        whole = 0.5 + (moved + noise if kind == "rotation" else 0)
        row = {"network": network, "kind": kind, "layer": layer, "image": image, "trained": trained}
        rows.append({**row, "small": small, "whole": whole})
    return rows


def table1(sign: int, on_object: float = 1.0, untrained: float = 0.0) -> dict[str, Measure]:
    """Of ten faces, whose parts correspond at the first layer and not at the second.

    Args:
        on_object: by how much more than random places on the face, as a share of the effect.
        untrained: the effect before the training, as a share of it.
    """
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (10, 10))
    first = 0.05 * sign + (noise + noise.T) / 2
    means = {
        (layer, name): values
        for layer, values in (("conv5", first), ("fc7", np.zeros_like(first)))
        for name in ("hamming", "disagreement")
    }
    controls = {"random places on the object": (1 - on_object) * first}
    controls["the same networks before their training"] = untrained * first
    return correspondence.below_random(means, ["conv5", "fc7"], FIVE, controls)


def errors(sign: int) -> dict[str, tuple[float, float]]:
    """Validation and train errors by network, in percent."""
    alexnet = 40.0
    zfnet = alexnet - 6 * sign
    small, resized = 1.4 - 0.3 * sign, 1.11 - 0.1 * sign  # of the base's, about the margins
    val = {
        **dict.fromkeys(("tab3_no_conv34", "tab3_no_fc67", "tab3_no_fc7"), alexnet * small),
        "tab3_no_conv34_fc67": alexnet * (1.4 + 0.35 * sign),
        **{f"tab3_fc{units}": alexnet * resized for units in (2048, 8192)},
        **{f"tab3_zfnet_fc{units}": zfnet * resized for units in (2048, 8192)},
        WIDE: zfnet - 6 * sign,
        f"{WIDE}_fc8192": zfnet,
        "fig6_zfnet_no_clip": zfnet,
        **dict.fromkeys(("fig6_alexnet_stride2", "fig6_alexnet_kernel7"), alexnet),
        **{name: alexnet + each for name, each in zip(ALEXNETS, NOISE, strict=False)},
        **{name: zfnet + each for name, each in zip(FIVE, NOISE, strict=True)},
    }
    wider = {f"{WIDE}_fc8192": 6 * sign}
    # what two trainings of the same net differ by: half as much in the gap as in the error
    return {
        name: (value, value - 5 - wider.get(name, 0) - (value % 1) / 2)
        for name, value in val.items()
    }


def parameters(name: str, sign: int) -> int:
    """Of the network without layers 6 and 7 as few, or as many, as its side of half asks for."""
    return 500 - 200 * sign if name == "tab3_no_fc67" else 1000


def networks(root: Path, sign: int) -> None:
    found = errors(sign)
    wide = config.compose_experiment(FIVE[0], ["profile=miniature", "data.image_size=256"])
    _json(root / "configs" / f"{FIVE[0]}.yaml", wide)  # JSON is YAML too
    for seed, (name, (val, train)) in enumerate(found.items()):
        splits = {"train": {"images": 1281}, "val": {"images": IMAGES}}
        split = {
            "data": {"splits": splits, "classes": ["one"]},
            "parameters": parameters(name, sign),
        }
        _json(root / "runs" / name / "run.json", {"profile": PROFILE, "seed": seed, **split})
        write_predictions(root / "predictions" / name / "val_ten.parquet", val)
        write_predictions(root / "predictions" / name / "train_ten.parquet", train)
    five = np.mean([found[name][0] for name in FIVE])
    for row, better in (("zfnet_5_convnets_a", 6), ("zfnet_6_convnets_a_and_b", 12)):
        path = root / "ensembles" / f"{row}_val_ten.parquet"
        write_predictions(path, five - better * sign, first=10)


def write_predictions(path: Path, error: float, first: int = 0, images: int = IMAGES) -> None:
    """As much of predictions as an error takes: so many percent are wrong, from `first` on.

    Wrong among the first five too.
    """
    ranks = np.zeros(images, dtype=np.int32)
    ranks[first : first + round(error / 100 * images)] = 5
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"rank": ranks}).to_parquet(path)


def transfer(root: Path, sign: int) -> None:
    """The real sets, so that what the paper cites can be compared; JSON is YAML too."""
    settings = {
        "network": "tab3_zfnet", "voc2012": {"test": ["val"]},
        "caltech101": {"tested": 50, "independent_folds": False},
        "caltech256": {"tested": 25, "independent_folds": False},
        "probe": {"images_per_class": {"caltech101": 30, "caltech256": 60}},
    }  # fmt: skip
    _json(root / "configs" / "transfer.yaml", settings)
    cited = {"caltech101": ((15, 30), 84.3), "caltech256": ((6, 15, 30, 45, 60), 55.2)}
    for name, (counts, best) in cited.items():
        _json(root / "configs" / "sets" / f"{name}.yaml", {"name": name})
        _table(root / "transfer" / name / "folds.csv", [
            {"set": name, "arm": arm, "images_per_class": count, "fold": fold, "accuracy": accuracy}
            for count in counts for fold, noise in enumerate(NOISE)
            for arm, accuracy in (
                ("pretrained", best + 10 * sign + noise), ("scratch", best),
                ("untrained", best + noise / 2),
            )
        ])  # fmt: skip
    _json(root / "configs" / "sets" / "voc2012.yaml", {"name": "voc2012"})
    mean = 82.2 - 5 * sign
    _table(root / "transfer" / "voc2012" / "average_precision.csv", [
        {"classifier": "softmax", "class": name, "ap": ap, "low": ap - 2, "high": ap + 2}
        for name, ap in (("bird", 85.0), ("bottle", 55.0), ("mean", mean))
    ])  # fmt: skip
    pd.DataFrame({"path": ["a", "b", "c"]}).to_parquet(
        root / "transfer" / "voc2012" / "scores.parquet"
    )


def probe(root: Path, sign: int) -> None:
    _table(root / "probe" / "folds.csv", [
        {"set": name, "arm": arm, "classifier": "svm", "layer": layer, "fold": fold,
         "accuracy": 50 + (effect + noise * share) * depth}
        for arm, effect, share in (("pretrained", 3 * sign, 1), ("untrained", 0, 0.5))
        for name in ("caltech101", "caltech256")
        for depth, layer in enumerate(LAYERS) for fold, noise in enumerate(NOISE)
    ])  # fmt: skip


def _table(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def _json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
