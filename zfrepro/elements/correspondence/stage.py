"""Table 1 and figure 8 with the study's networks.

Writes results/tables/table1.{csv,md,png}. Draws figure8.{png,pdf}, and opposite.png: as table 1, of
the features that change in both images alone. Tables: networks, each network's values; pairs, how
much less two faces differ than at random places. Where nothing says where the parts are, table 1
holds the paper's numbers alone.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from zfrepro import paper, stats
from zfrepro.config import Config
from zfrepro.data import annotations
from zfrepro.data.annotations import Placement, Point
from zfrepro.elements.context import Context
from zfrepro.elements.correspondence import measure, plot
from zfrepro.elements.correspondence.measure import ON_OBJECT, RANDOM, Pairs
from zfrepro.elements.occlusion.measure import PAPER_CROP, Square
from zfrepro.inference.inputs import grey
from zfrepro.inference.untrained import untrained
from zfrepro.interp.chain import Chain
from zfrepro.outcome import Control, Found, Measure, Outcome, UntestedError, only
from zfrepro.render import tables
from zfrepro.training.trained import Trained

NO_FACES = "no faces with landmarks"
MEASURES = ("hamming", "disagreement")
HEAD = (
    "# Table 1 and figure 8: whether a part means the same in different faces\n\n"
    "The paper's claim: at layer 5 hiding an eye or the nose changes the features of different "
    "faces more alike (lower Hamming distance of the signs of the change) than hiding a random "
    "place; at layer 7 no longer.\n\n"
)

Faces = dict[int, dict[str, Point]]  # of each image the landmarks in its crop
Networks = Mapping[str, measure.Found]


def run(context: Context) -> Outcome:
    names, layers = context.networks, context.settings["layers"]
    faces = faces_of(context, context.trained(names[0]).crop)
    if len(faces) < 2:
        write_table(context, measure.no_table(layers), "Here: no annotated faces.")
        missing = dict.fromkeys(("layer5", "layer7"), UntestedError(NO_FACES))
        text = f"{HEAD}No two images with landmarks: no value.\n"
        return Outcome({"images": len(faces), **missing}, text=text)
    nets = {name: context.trained(name) for name in names}
    before = {name: untrained(net) for name, net in nets.items()}
    found, control = (
        {
            name: consistency(context, net, faces)
            for name, net in tqdm(each.items(), desc=f"correspondence, {word}", disable=None)
        }
        for word, each in (("trained", nets), ("before training", before))
    )
    draw(context, faces)
    table = measure.table(list(found.values()), layers)
    note = f"{len(faces)} faces, {len(names)} networks; ± over pairs, 95 % intervals over images."
    write_table(context, table, note)
    opposite = measure.table(list(found.values()), layers, "disagreement")
    plot.draw_table(
        opposite, context.folder / "opposite.png", "Features that change in both images",
        "share in opposite directions",
    )  # fmt: skip
    values = by_network(found)
    pairs = by_pair(found, list(faces), layers)
    return Outcome(
        {"images": len(faces), **measures(found, table, layers, control)},
        {"networks": values, "pairs": pairs},
        report(found, values, table, note, context.settings),
    )


def faces_of(context: Context, crop: int) -> Faces:
    """Images whose landmarks all lie in the crop, spread over the classes."""
    prepared, split = context.prepared, context.split
    known = annotations.of_images(prepared.folder, split.name, split.paths)
    if known is None:
        return {}
    mapped = {
        number: Placement.of(each.width, each.height, prepared.image_size, crop).landmarks(
            each.landmarks
        )
        for number, each in enumerate(known)
        if each.landmarks
    }
    usable = np.array([number for number, places in mapped.items() if places], dtype=np.int64)
    return {int(number): mapped[int(number)] for number in context.sample(usable)}


def consistency(context: Context, network: Trained, faces: Faces) -> measure.Found:
    settings = context.settings
    square = square_of(network.crop, settings)
    boxes = context.boxes(np.array(list(faces)), network.crop).values()
    known = [box for box in boxes if box]
    return measure.consistency(
        Chain(network.net), context.reader(network)(np.array(list(faces))),
        grey(network, square.value), list(faces.values()), square.side, settings["layers"],
        draws=settings["draws"], seed=settings["seed"],
        boxes=known if len(known) == len(faces) else None,
    )  # fmt: skip


def square_of(crop: int, settings: Config) -> Square:
    return Square.of(crop, stride=PAPER_CROP, **settings["square"])


def draw(context: Context, faces: Faces) -> None:
    network, settings = context.trained(context.networks[0]), context.settings
    square = square_of(network.crop, settings)
    shown = list(faces)[: settings["shown"]]
    images = context.pictures(network)(np.array(shown))
    places = measure.placed(
        [faces[number] for number in shown], square.side, network.crop, draws=1,
        seed=settings["seed"],
    )  # fmt: skip
    rows = {"original": list(images)}
    rows |= {label: hidden(images, squares, square) for label, squares in places}
    plot.draw(rows, context.folder / "figure8", "Faces with a part, or a random place, covered")


def hidden(
    images: npt.NDArray[np.float32], squares: npt.NDArray[np.int64], square: Square
) -> list[npt.NDArray[np.float32]]:
    """The images (N, h, w, 3) with their squares (N, 2) covered."""
    covered = images.copy()
    for image, (top, left) in zip(covered, squares, strict=True):
        image[top : top + square.side, left : left + square.side] = square.value / 255
    return list(covered)


def write_table(context: Context, table: pd.DataFrame, note: str) -> None:
    """Table 1, the paper's numbers beside ours."""
    layers, path = context.settings["layers"], context.results.folder / "tables" / "table1.csv"
    compared = plot.with_paper(table, layers)
    tables.write(compared, path, plot.readable(compared, layers), note)
    plot.draw_table(compared, path.with_suffix(".png"), f"Table 1. {note}")


def by_network(found: Networks) -> pd.DataFrame:
    """Each network's means over pairs and draws, and the share of features that a mask changes."""
    return pd.DataFrame([
        {
            "network": name, "occlusion": part, "layer": layer,
            "hamming": stats.bootstrap_pairs(each.hamming.mean(0)).mean,
            "disagreement": stats.bootstrap_pairs(measure.mean_of(each.disagreement)).mean,
            "changed": float(each.changed.mean()),
        }
        for name, of_network in found.items() for (part, layer), each in of_network.items()
    ])  # fmt: skip


def parts_of(found: Networks) -> list[str]:
    """What was covered, but for the random places."""
    first = next(iter(found.values()))
    named = dict.fromkeys(part for part, _ in first)
    return [part for part in named if part not in (RANDOM, ON_OBJECT)]


def by_pair(found: Networks, images: Sequence[int], layers: Sequence[str]) -> pd.DataFrame:
    """How much more two faces differ at random places than at a part, a row a pair, over networks.

    Args:
        images: their numbers, in the order of the pairs.
    """
    first, second = np.triu_indices(len(images), 1)
    numbers, networks = np.array(images), list(found.values())
    tables = []
    for part, layer in itertools.product(parts_of(found), layers):
        below = {
            name: measure.below_random(networks, part, layer, name)[first, second]
            for name in MEASURES
        }
        pair = {"image": numbers[first], "other": numbers[second]}
        tables.append(pd.DataFrame({"occlusion": part, "layer": layer, **pair, **below}))
    return pd.concat(tables, ignore_index=True)


def measures(
    found: Networks, table: pd.DataFrame, layers: Sequence[str], before: Networks
) -> dict[str, Found]:
    """Table 1's numbers; how much less two faces differ at each part than at random places; and
    the mean of that over the parts, at the first layer and at the first minus the second.

    Args:
        before: of the same networks before their training.
    """
    networks, parts = list(found.values()), parts_of(found)
    values: dict[str, Found] = {}
    for row, layer in itertools.product(table.to_dict("records"), layers):
        ends = (row[f"{layer}_{name}"] for name in ("mean", "low", "high"))
        values[f"{layer}/{row['occlusion']}"] = stats.Interval(*ends)
    for layer, part, name in itertools.product(layers, parts, MEASURES):
        more = measure.against_random(networks, part, layer, name)
        values[f"{layer}/{part}_{name}_below_random"] = more
    means = {
        (layer, name): mean_below(networks, parts, layer, name, RANDOM)
        for layer, name in itertools.product(layers, MEASURES)
    }
    blank = mean_below(list(before.values()), parts, layers[0], "hamming", RANDOM)
    controls = {"the same networks before their training": blank}
    if (ON_OBJECT, layers[0]) in networks[0]:
        on_object = mean_below(networks, parts, layers[0], "hamming", ON_OBJECT)
        controls["random places on the object"] = means[layers[0], "hamming"] - on_object
    return values | below_random(means, layers, tuple(found), controls)


def mean_below(
    networks: Sequence[measure.Found], parts: Sequence[str], layer: str, name: str, places: str
) -> Pairs:
    """How much less two faces differ at a part than at random `places`, (N, N), over the parts."""
    below = [measure.below_random(networks, part, layer, name, places) for part in parts]
    mean: Pairs = np.mean(below, axis=0)
    return mean


def below_random(
    means: Mapping[tuple[str, str], Pairs], layers: Sequence[str], networks: tuple[str, ...],
    controls: Mapping[str, Pairs],
) -> dict[str, Measure]:  # fmt: skip
    """What the two claims rest on, from each pair's mean over the parts (N, N).

    Args:
        controls: by name the same at the first layer where what the claim names is absent. The one
            that the effect goes beyond the least decides, and the note tells of the others.
    """
    first, second = (means[layer, "hamming"] for layer in layers)
    images = len(first)
    among_changed = stats.bootstrap_pairs(means[layers[0], "disagreement"])
    cases = {
        "layer5": (first, f"of the features that change in both images {among_changed}",
                   paper_below("layer5")),
        "layer7": (first - second, f"the second layer by itself {stats.bootstrap_pairs(second)}",
                   paper_below("layer5") - paper_below("layer7")),
    }  # fmt: skip
    found = {
        name: Measure(
            only(stats.bootstrap_pairs(pairs), given), "images", images, networks, images, note
        )
        for name, (pairs, note, given) in cases.items()
    }
    beside = [
        Control(name, stats.bootstrap_pairs(pairs), stats.bootstrap_pairs(first - pairs))
        for name, pairs in controls.items()
    ]
    least, *others = sorted(beside, key=lambda control: control.beyond.low)
    notes = [found["layer5"].note, *(f"beyond {each.name} {each.beyond}" for each in others)]
    found["layer5"] = replace(found["layer5"], control=least, note="; ".join(notes))
    return found


def paper_below(layer: str) -> float:
    """The paper's own: random places less the mean of the parts."""
    means = paper.table("table1").set_index("occlusion")[f"{layer}_mean"]
    return float(means[RANDOM] - means.drop(RANDOM).mean())


def report(
    found: Networks, values: pd.DataFrame, table: pd.DataFrame, note: str, settings: Config
) -> str:
    layers, networks = settings["layers"], list(found.values())
    compared = plot.readable(plot.with_paper(table, layers), layers)
    lines = []
    for layer, part in itertools.product(layers, parts_of(found)):
        hamming, disagreement = (
            measure.against_random(networks, part, layer, name) for name in MEASURES
        )
        lines.append(
            f"* {layer}, {part.replace('_', ' ')}: random less part {_shown(hamming)}; of the "
            f"features that change in both images {_shown(disagreement)}\n"
        )
    side, value = settings["square"]["side"], settings["square"]["value"]
    by_part = values.groupby(["layer", "occlusion"], sort=False)
    means = by_part[["changed", "disagreement"]].mean()
    shares = "".join(
        f"* {row['layer']}, {row['occlusion'].replace('_', ' ')}: {100 * row['changed']:.1f} % "
        f"change; {100 * row['disagreement']:.1f} % of those that change in both images in "
        "opposite directions\n"
        for row in means.reset_index().to_dict("records")
    )
    return (
        f"{HEAD}Square of {side}/{PAPER_CROP} of the crop, grey {value}; {settings['draws']} "
        "random places an image, none of which touches the parts' squares; the sign of 0 is 0, and "
        f"agrees with itself. {note}\n\n{tables.markdown(compared)}\n{''.join(lines)}\n"
        "Features that no mask changes agree, so a mask that changes less is the more consistent "
        f"for it:\n\n{shares}"
    )


def _shown(interval: stats.Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
