"""Stage `invariance`: figure 5, what moving, enlarging and turning an image does to its features.

Writes to results/figures/figure5: figure5.{png,pdf}, with the distances as they are; curves.csv, of
each image, also divided by the norm of the features, and means.{csv,png,pdf} of those over the
images, by network; shifts.csv, the mean of each curve; measures.json and report.md.
"""

import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from pipelines._figures import RESULTS, networks, sample, stage, trained, verdict
from zfrepro import files
from zfrepro.analysis import bootstrap, invariance
from zfrepro.analysis.chain import Chain
from zfrepro.analysis.invariance import KINDS, PAPER_CROP, Transformation
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import invariance as drawing
from zfrepro.training.evaluation import check_fit
from zfrepro.training.inputs import class_name
from zfrepro.training.trained import Trained

FIGURES = RESULTS / "figures" / "figure5"
SHOWN = 5  # as in the paper

Ints = npt.NDArray[np.int64]
Shifts = dict[tuple[str, str], "pd.Series[float]"]  # by kind and layer, of each image


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    split = prepared.split(settings["split"])
    shutil.rmtree(FIGURES, ignore_errors=True)
    numbers = sample(split, settings)
    nets = {name: trained(name) for name in networks(settings)}
    for network in nets.values():
        check_fit(network, prepared)
    table = curves(nets, split, numbers, settings)
    shown = table[table["network"] == settings["network"]].drop(columns="network")
    write(shown.assign(path=split.paths_of(shown["image"])), "curves")
    keys = ["network", "kind", "amount", "layer"]
    means = table.groupby(keys, sort=False)[["distance", "relative", "probability"]].mean()
    means = means.reset_index()
    write(means, "means")
    network = nets[settings["network"]]
    draw(network, split, shown, numbers[:SHOWN], settings)
    drawing.draw_means(
        means, network.crop, FIGURES / "means",
        f"{len(nets)} networks, {len(numbers)} images: mean, and deviation between networks",
    )  # fmt: skip
    write(shift_table(table, network.crop, settings), "shifts")
    shifts = small_shifts(table, network.crop, settings)
    files.write_json(FIGURES / "measures.json", measures(shifts, len(numbers)))
    files.atomic_write(FIGURES / "report.md", report(shifts, means, network.crop, settings))


def curves(
    nets: Mapping[str, Trained], split: Split, numbers: Ints, settings: Config
) -> pd.DataFrame:
    """The curves of all networks; they see the same transformed images."""
    chains = {name: Chain(network.net) for name, network in nets.items()}
    network = nets[settings["network"]]
    wanted = transformations(network, settings)
    parts = []
    for number in tqdm(numbers, desc="invariance", unit="image", disable=None):
        image = torch.from_numpy(split[number]).to(network.mean.device)
        inputs = invariance.transformed(
            image, network.mean, network.crop, [Transformation.none(), *wanted]
        )
        label = int(split.labels[number])
        for name, chain in chains.items():
            found = invariance.curves(chain, inputs, wanted, label, settings["layers"])
            parts.append(found.assign(network=name, image=number))
    return pd.concat(parts, ignore_index=True)


def transformations(network: Trained, settings: Config) -> list[Transformation]:
    return invariance.transformations(network.crop, **{kind: settings[kind] for kind in KINDS})


def write(table: pd.DataFrame, name: str) -> None:
    with files.atomic_path(FIGURES / f"{name}.csv") as path:
        table.to_csv(path, index=False, float_format="%.5g")


def draw(
    network: Trained, split: Split, table: pd.DataFrame, numbers: Ints, settings: Config
) -> None:
    rows = table[table["image"].isin(numbers)]
    names = [class_name(network, int(split.labels[number])) for number in numbers]
    examples = invariance.examples(
        split.read(numbers), network.mean, network.crop, transformations(network, settings)
    )
    drawing.draw(
        rows, examples, names, network.crop, FIGURES / "figure5",
        f"{settings['network']}: features and probability under transformation",
    )  # fmt: skip


def small_shifts(table: pd.DataFrame, crop: int, settings: Config) -> Shifts:
    """Of each image the mean relative distance under small transformations, over the networks."""
    most = most_of(settings["small"], crop)
    return {
        (kind, layer): invariance.mean_shift(table, layer, kind, most[kind])
        for kind in most
        for layer in settings["layers"]
    }


def most_of(small: Mapping[str, float], crop: int) -> dict[str, float]:
    """How far the transformations go that count as small, in pixels of the crop."""
    return {**small, "translation": small["translation"] * crop / PAPER_CROP}


def shift_table(table: pd.DataFrame, crop: int, settings: Config) -> pd.DataFrame:
    """Mean relative distances, a row a network, kind, layer and image.

    `small` is over small transformations, NaN for a kind without such; `whole` over all.
    """
    most = most_of(settings["small"], crop)
    keys, parts = ["network", "kind", "layer"], []
    for network, kind, layer in table[keys].drop_duplicates().to_numpy().tolist():
        rows = table[table["network"] == network]
        shifts = {
            name: invariance.mean_shift(rows, layer, kind, reach)
            for name, reach in (("small", most.get(kind, 0.0)), ("whole", np.inf))
        }
        found = pd.DataFrame(shifts).rename_axis("image").reset_index()
        parts.append(found.assign(network=network, kind=kind, layer=layer))
    return pd.concat(parts, ignore_index=True)[[*keys, "image", "small", "whole"]]


def measures(shifts: Shifts, images: int) -> dict[str, float]:
    values: dict[str, float] = {"images": images}
    for (kind, layer), by_image in shifts.items():
        values |= flat(f"{kind}/{layer}", bootstrap.of_images(by_image))
    for kind, difference in differences(shifts).items():
        values |= flat(f"{kind}/difference", difference)
    return values


def flat(name: str, interval: bootstrap.Interval) -> dict[str, float]:
    ends = {"": interval.mean, "_low": interval.low, "_high": interval.high}
    return {f"{name}{end}": round(value, 5) for end, value in ends.items()}


def differences(shifts: Shifts) -> dict[str, bootstrap.Interval]:
    """How much further the first layer moves than the last, image by image."""
    found = {}
    for kind in dict.fromkeys(kind for kind, _ in shifts):
        first, *_, last = (values for (of, _), values in shifts.items() if of == kind)
        found[kind] = bootstrap.of_images(first - last)
    return found


def report(shifts: Shifts, means: pd.DataFrame, crop: int, settings: Config) -> str:
    first, *_, last = settings["layers"]
    lines = [
        f"* {kind}, {layer}: {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]\n"
        for (kind, layer), values in shifts.items()
        for found in [bootstrap.of_images(values)]
    ]
    verdicts = [
        "* " + verdict(f"{kind}: {first} moves further than {last}", found)
        + f" Difference {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]\n"
        for kind, found in differences(shifts).items()
    ]  # fmt: skip
    small = settings["small"]
    return (
        f"# Figure 5: {settings['network']} and {len(settings['others'])} more seeds\n\n"
        f"The paper's claim: {first} moves at once, {last} far less under translation and scaling; "
        "neither is invariant to rotation.\n"
        "Distance to the features of the image as it is, divided by their norm; mean over small "
        f"transformations (translation up to {small['translation']}/{PAPER_CROP} of the crop, here "
        f"{small['translation'] * crop / PAPER_CROP:g} pixels of {crop}; scale up to "
        f"{1 + small['scale']:g}), 95 % intervals over {len(next(iter(shifts.values())))} images:\n"
        f"\n{''.join(lines)}\n{''.join(verdicts)}\n{largest(means, settings['layers'])}"
    )


def largest(means: pd.DataFrame, layers: Sequence[str]) -> str:
    """The greatest mean relative distance of each kind, and the least mean probability."""
    by_kind = means.groupby(["kind", "layer"], sort=False)
    highest, lowest = by_kind["relative"].max(), by_kind["probability"].min()
    return "".join(
        f"* {kind}, at worst: "
        + ", ".join(f"{layer} {highest[kind, layer]:.2f}" for layer in layers)
        + f"; probability of the true class {lowest[kind, layers[0]]:.2f}\n"
        for kind in dict.fromkeys(kind for kind, _ in highest.index)
    )


if __name__ == "__main__":
    stage("invariance", __doc__, run, "figures/figure5")
