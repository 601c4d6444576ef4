"""Figure 7 with the study's networks.

Draws figure7.{png,pdf}. Tables: drops, what each image loses on its object and off it, by network,
and by the boxes of the other images' objects; maps, those of the figure.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from zfrepro import stats
from zfrepro.config import Config
from zfrepro.elements.context import Boxes, Context
from zfrepro.elements.measures import over_images
from zfrepro.elements.occlusion import measure, plot
from zfrepro.elements.occlusion.measure import Square
from zfrepro.inference.inputs import class_name, grey
from zfrepro.interp.chain import Chain
from zfrepro.interp.deconv import Deconvnet
from zfrepro.outcome import Found, Outcome, UntestedError, flat
from zfrepro.training.trained import Trained

CONTROL = "boxes of other images' objects"
OTHERS = 3  # images whose projection of the same map stands beside


def run(context: Context) -> Outcome:
    context.share_out(collect, context.networks[:1])
    numbers = context.sample()
    boxes = context.boxes(numbers, context.trained(context.networks[0]).crop)
    table = pd.DataFrame(
        [row for network in context.networks for row in scored(context, network, boxes)]
    )
    maps = draw(context, table, boxes)
    drops = table.assign(path=context.split.paths_of(table["image"]))
    found = measures(table)
    text = report(found, table, context.settings)
    return Outcome(found, {"drops": drops, "maps": maps}, text)


def collect(context: Context, network: str) -> None:
    trained = context.trained(network)
    deconvnet = Deconvnet(trained.net)
    context.top_activations(network, trained, deconvnet, deconvnet.chain.layers)


def scored(context: Context, name: str, boxes: Boxes) -> Iterator[dict[str, object]]:
    """What one network loses, image by image; NaN where the object's place is not known."""
    network = context.trained(name)
    chain, square = Chain(network.net), square_of(network, context.settings, "scored_stride")
    read, covered = context.reader(network), grey(network, square.value)
    bar = tqdm(boxes.items(), desc=f"{name}, occlusion", unit="image", disable=None)
    for number, box in bar:
        label = int(context.split.labels[number])
        found = measure.occlude(
            chain, read(np.array([number]))[0], covered, square, context.settings["layer"], label
        )
        drop = measure.drop(found, box) if box else None
        elsewhere = [
            measure.drop(found, other)
            for another, other in boxes.items()
            if another != number and other
        ]
        others = [each.score for each in elsewhere if each]
        yield {
            "network": name,
            "image": number,
            "class": class_name(network, label),
            "probability": found.clean_probability,
            "right": found.clean_best == label,
            "on": drop.on if drop else np.nan,
            "off": drop.off if drop else np.nan,
            "score": drop.score if drop else np.nan,
            "elsewhere": np.mean(others) if others else np.nan,
        }


def square_of(network: Trained, settings: Config, stride: str) -> Square:
    return Square.of(network.crop, stride=settings[stride], **settings["square"])


def draw(context: Context, table: pd.DataFrame, boxes: Boxes) -> pd.DataFrame:
    """The figure: the first images, of one class each, that the network gets right; their maps."""
    name, settings = context.networks[0], context.settings
    network, layer = context.trained(name), settings["layer"]
    deconvnet = Deconvnet(network.net)
    own = table[table["network"] == name]
    chosen = own[own["right"]] if own["right"].any() else own
    chosen = chosen.drop_duplicates("class").head(settings["shown"])
    best = context.top_activations(name, network, deconvnet, deconvnet.chain.layers)
    best = best[best["layer"] == layer]
    square = square_of(network, settings, "stride")
    read, show = context.reader(network), context.pictures(network)
    names = [class_name(network, i) for i in range(len(network.classes))]
    rows = []
    for number in chosen["image"]:
        image, label = read(np.array([number]))[0], int(context.split.labels[number])
        found = measure.occlude(
            deconvnet.chain, image, grey(network, square.value), square, layer, label
        )
        others = best[(best["map"] == found.map) & (best["image"] != number)].head(OTHERS)
        shown = np.concatenate([[number], others["image"].to_numpy(np.int64)])
        projections = measure.projections(deconvnet, layer, found.map, read(shown))
        rows.append(plot.Row(show(shown), projections, found, boxes[number], names))
    plot.draw(rows, layer, context.folder / "figure7", f"{name}: what a grey square hides")
    return pd.concat([
        row.occluded.to_table().assign(image=number)
        for row, number in zip(rows, chosen["image"], strict=True)
    ])  # fmt: skip


def measures(table: pd.DataFrame) -> dict[str, Found]:
    """Mean losses in points, each image's averaged over the networks."""
    values: dict[str, Found] = {"images": table["image"].nunique()}
    known = table.dropna(subset=["on", "off", "elsewhere"])
    if known.empty:
        return values | {"difference": UntestedError("no images with known objects")}
    by_image = 100 * known.groupby("image")[["on", "off"]].mean()
    scores = 100 * known.set_index(["network", "image"])[["score", "elsewhere"]]
    return values | {
        "drop_on_object": stats.bootstrap(by_image["on"]),
        "drop_off_object": stats.bootstrap(by_image["off"]),
        "difference": over_images(scores["score"], scores["elsewhere"], CONTROL),
        "scored": len(by_image),
        "difference_deviation_over_seeds": 100 * float(by_network(table).std()),
    }


def by_network(table: pd.DataFrame) -> "pd.Series[float]":
    return table.groupby("network")["score"].mean()


def report(found: Mapping[str, Found], table: pd.DataFrame, settings: Config) -> str:
    side, value = settings["square"]["side"], settings["square"]["value"]
    head = (
        "# Figure 7: what a grey square hides\n\n"
        "The paper's claim: the probability of the true class drops when the object is covered, "
        "not when its surroundings are.\n"
        f"Square of {side}/{measure.PAPER_CROP} of the crop, grey {value}; chosen, as the paper "
        "gives neither.\n\n"
    )
    numbers = flat(found)
    if "difference" not in numbers:
        return head + "No score: nothing says where the objects are (no annotations).\n"
    lines = [
        f"* {label}: {each.mean:.1f} points [{each.low:.1f}, {each.high:.1f}]\n"
        for label, each in (
            ("probability lost with the square's centre on the object", numbers["drop_on_object"]),
            ("with the centre off it", numbers["drop_off_object"]),
            ("difference", numbers["difference"]),
        )
    ]
    return (
        f"{head}{found['scored']} images with object and surroundings in the crop, "
        f"{table['network'].nunique()} networks; 95 % intervals over images:\n\n"
        + "".join(lines).rstrip()
        + f", ± {100 * by_network(table).std():.1f} over networks\n"
        f"* by the {CONTROL}, which lie in the middle of the picture as its own does: "
        f"{numbers['difference/control'].mean:.1f} points; its own box beyond that "
        f"{numbers['difference/beyond_control']}\n"
    )
