"""Figure 5 with the study's networks.

Draws figure5.{png,pdf}, with the distances as they are, and means.{png,pdf}. Tables: curves, of
each image, also divided by the norm of the features; means of those over the images, by network;
shifts, the mean of each curve, also of the networks as they were before their training; turns, how
much nearer quarter turns are than turns between them, and how like itself the image is then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from zfrepro import stats
from zfrepro.config import Config
from zfrepro.elements.context import Context, Ints
from zfrepro.elements.invariance import measure, plot
from zfrepro.elements.invariance.measure import KINDS, PAPER_CROP, Transformation
from zfrepro.elements.measures import over_images
from zfrepro.inference.inputs import class_name
from zfrepro.inference.untrained import untrained
from zfrepro.interp.chain import Chain
from zfrepro.interp.responses import respond
from zfrepro.outcome import Control, Found, Measure, Outcome, UntestedError, flat
from zfrepro.training.trained import Trained

SHOWN = 5  # as in the paper
BATCH = 128  # images
CONTROL = "the same networks before their training"
IMAGES = ["network", "image"]  # what a row of `shifts` is of


def run(context: Context) -> Outcome:
    numbers = context.sample()
    nets = {name: context.trained(name) for name in context.networks}
    network, split = nets[context.networks[0]], context.split
    table = curves(context, nets, numbers)
    before = curves(context, {name: untrained(net) for name, net in nets.items()}, numbers)
    own = table[table["network"] == context.networks[0]].drop(columns="network")
    keys = ["network", "kind", "amount", "layer"]
    means = table.groupby(keys, sort=False)[["distance", "relative", "probability"]].mean()
    means = means.reset_index()
    draw(context, network, own, numbers[:SHOWN])
    plot.draw_means(
        means, network.crop, context.folder / "means",
        f"{len(nets)} networks, {len(numbers)} images: mean, and deviation between networks",
    )  # fmt: skip
    shifts = pd.concat([
        shift_table(each, network.crop, context.settings).assign(trained=trained)
        for each, trained in ((table, True), (before, False))
    ])  # fmt: skip
    turns = turn_table(context, table, network.crop)
    found: dict[str, Found] = {"images": len(numbers)}
    found |= measures(shifts, context.settings)
    found["rotation/symmetric"] = of_symmetric(turns)
    found["apart"] = apart(context, nets, numbers)
    curves_of_images = own.assign(path=split.paths_of(own["image"]))
    return Outcome(
        found,
        {"curves": curves_of_images, "means": means, "shifts": shifts, "turns": turns},
        report(found, means, network.crop, context.settings),
    )


def curves(context: Context, nets: Mapping[str, Trained], numbers: Ints) -> pd.DataFrame:
    """The curves of all networks; they see the same transformed images."""
    settings, split = context.settings, context.split
    chains = {name: Chain(network.net) for name, network in nets.items()}
    network = nets[settings["network"]]
    wanted = transformations(network, settings)
    parts = []
    for number in tqdm(numbers, desc="invariance", unit="image", disable=None):
        image = torch.from_numpy(split[number]).to(network.mean.device)
        inputs = measure.transformed(
            image, network.mean, network.crop, [Transformation.none(), *wanted]
        )
        label = int(split.labels[number])
        for name, chain in chains.items():
            found = measure.curves(chain, inputs, wanted, label, settings["layers"])
            parts.append(found.assign(network=name, image=number))
    return pd.concat(parts, ignore_index=True)


def transformations(network: Trained, settings: Config) -> list[Transformation]:
    return measure.transformations(network.crop, **{kind: settings[kind] for kind in KINDS})


def draw(context: Context, network: Trained, table: pd.DataFrame, numbers: Ints) -> None:
    split, settings = context.split, context.settings
    rows = table[table["image"].isin(numbers)]
    names = [class_name(network, int(split.labels[number])) for number in numbers]
    examples = measure.examples(
        split.read(numbers), network.mean, network.crop, transformations(network, settings)
    )
    plot.draw(
        rows, examples, names, network.crop, context.folder / "figure5",
        f"{settings['network']}: features and probability under transformation",
    )  # fmt: skip


def shift_table(table: pd.DataFrame, crop: int, settings: Config) -> pd.DataFrame:
    """Mean relative distances, a row a network, kind, layer and image.

    `small` is over small transformations, NaN for a kind without such; `whole` over all.
    """
    small = settings["small"]
    most = {**small, "translation": small["translation"] * crop / PAPER_CROP}
    keys, parts = ["network", "kind", "layer"], []
    for network, kind, layer in table[keys].drop_duplicates().to_numpy().tolist():
        rows = table[table["network"] == network]
        shifts = {
            name: measure.mean_shift(rows, layer, kind, reach)
            for name, reach in (("small", most.get(kind, 0.0)), ("whole", np.inf))
        }
        found = pd.DataFrame(shifts).rename_axis("image").reset_index()
        parts.append(found.assign(network=network, kind=kind, layer=layer))
    return pd.concat(parts, ignore_index=True)[[*keys, "image", "small", "whole"]]


def measures(shifts: pd.DataFrame, settings: Config) -> dict[str, Found]:
    """By kind: how far each layer moves under small transformations, and the first minus the last;
    and how much further the last moves when turned than when moved or enlarged.

    The control of both is the same network before its training.
    """
    first, *_, last = settings["layers"]
    trained, untrained = (shifts[shifts["trained"] == each] for each in (True, False))
    values: dict[str, Found] = {}
    for kind in settings["small"]:
        small, control = (_by_layer(rows, kind, "small") for rows in (trained, untrained))
        for layer in settings["layers"]:
            values[f"{kind}/{layer}"] = stats.bootstrap(small[layer].groupby(level="image").mean())
        values[f"{kind}/difference"] = over_images(
            small[first] - small[last], control[first] - control[last], CONTROL
        )
    turned = _beyond_others(trained, last)
    return values | {
        "rotation/beyond_others": over_images(turned, _beyond_others(untrained, last), CONTROL)
    }


def apart(context: Context, nets: Mapping[str, Trained], numbers: Ints) -> stats.Interval:
    """How far two different images are apart in the last layer, by the norm: a unit for the rest.

    Of each image the mean over the others and over the networks.
    """
    *_, last = context.settings["layers"]
    of_networks = []
    for network in nets.values():
        inputs = torch.split(context.reader(network)(numbers), BATCH)
        found = [respond(Chain(network.net), part, [last])[0][last].flatten(1) for part in inputs]
        features = torch.cat(found).cpu().double()
        distances = torch.cdist(features, features).sum(1) / (len(features) - 1)
        of_networks.append((distances / features.norm(dim=1)).numpy())
    return stats.bootstrap(np.mean(of_networks, axis=0))


def turn_table(context: Context, table: pd.DataFrame, crop: int) -> pd.DataFrame:
    """A row a network and image: `recovery` of the last layer, and the image's `symmetry`."""
    *_, last = context.settings["layers"]
    numbers = table["image"].unique()
    crops = context.split.read(numbers, crop=crop)
    like = dict(zip(numbers.tolist(), map(measure.symmetry, crops), strict=True))
    parts = [
        measure.recovery(rows, last).rename("recovery").reset_index().assign(network=network)
        for network, rows in table.groupby("network", sort=False)
    ]
    turns = pd.concat(parts, ignore_index=True)
    return turns.assign(symmetry=turns["image"].map(like))[[*IMAGES, "symmetry", "recovery"]]


def of_symmetric(turns: pd.DataFrame) -> Measure | UntestedError:
    """How much nearer quarter turns are, over the third of the images most like themselves turned.

    The control is the third least like themselves.
    """
    ranks = turns["symmetry"].rank(pct=True)  # all networks see the same images
    if turns["recovery"].isna().any() or turns["image"].nunique() < 6:
        return UntestedError("no rotations by 90 degrees and halfway between, or too few images")
    most, least = turns[ranks > 2 / 3], turns[ranks <= 1 / 3]
    ours, theirs = (over_images(each.set_index(IMAGES)["recovery"]) for each in (most, least))
    (found, *_), (alone, *_) = ([part.interval for part in each.parts] for each in (ours, theirs))
    control = Control("the third least like themselves", alone, stats.difference_of(found, alone))
    return replace(ours, control=control)


def _by_layer(shifts: pd.DataFrame, kind: str, measured: str) -> pd.DataFrame:
    rows = shifts[shifts["kind"] == kind]
    return rows.pivot_table(index=IMAGES, columns="layer", values=measured, dropna=False)


def _beyond_others(shifts: pd.DataFrame, layer: str) -> "pd.Series[float]":
    """How much further a layer moves under rotation than, on average, under the others."""
    rows = shifts[shifts["layer"] == layer]
    whole = rows.pivot_table(index=IMAGES, columns="kind", values="whole", dropna=False)
    return whole["rotation"] - whole[["translation", "scale"]].mean(axis=1, skipna=False)


def report(found: Mapping[str, Found], means: pd.DataFrame, crop: int, settings: Config) -> str:
    first, *_, last = settings["layers"]
    numbers, small = flat(found), settings["small"]
    lines = [
        f"* {kind}, {layer}: {each.mean:.3f} [{each.low:.3f}, {each.high:.3f}]\n"
        for kind in small
        for layer in settings["layers"]
        for each in [numbers[f"{kind}/{layer}"]]
    ]
    differences = [
        f"* {kind}, {first} minus {last}: {numbers[f'{kind}/difference']}; {CONTROL}: "
        f"{numbers[f'{kind}/difference/control']}\n"
        for kind in small
    ]
    return (
        f"# Figure 5: {settings['network']} and {len(settings['others'])} more seeds\n\n"
        f"The paper's claim: {first} moves at once, {last} far less under translation and scaling; "
        "neither is invariant to rotation.\n"
        "Distance to the features of the image as it is, divided by their norm; mean over small "
        f"transformations (translation up to {small['translation']}/{PAPER_CROP} of the crop, here "
        f"{small['translation'] * crop / PAPER_CROP:g} pixels of {crop}; scale up to "
        f"{1 + small['scale']:g}), 95 % intervals over {found['images']} images:\n"
        f"\n{''.join(lines)}\n{''.join(differences)}\n{largest(means, settings['layers'])}"
        f"\nTwo different images are {numbers['apart']} apart in {last}.\n{turned(numbers, last)}"
    )


def turned(numbers: Mapping[str, stats.Interval], layer: str) -> str:
    if "rotation/symmetric" not in numbers:
        return ""
    return (
        f"{layer} is nearer by {numbers['rotation/symmetric']} at quarter turns than halfway "
        "between them, in the third of the images that are most like themselves when turned by 90 "
        f"degrees; in the third least like themselves by {numbers['rotation/symmetric/control']}.\n"
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
