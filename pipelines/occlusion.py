"""Stage `occlusion`: figure 7, what the network loses where a grey square covers the image.

Writes results/figures/figure7/figure7.{png,pdf}; drops.csv, what each image loses on its object and
off it, by network; maps.csv, the maps of the figure; measures.json and report.md.
"""

import shutil
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from pipelines._figures import (
    RESULTS,
    networks,
    pictures,
    reader,
    sample,
    stage,
    strongest_of,
    trained,
    verdict,
)
from zfrepro import files
from zfrepro.analysis import bootstrap, occlusion
from zfrepro.analysis.chain import Chain
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.analysis.occlusion import Square
from zfrepro.config import Config
from zfrepro.data import annotations
from zfrepro.data.annotations import Box, Placement
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import occlusion as drawing
from zfrepro.training.evaluation import check_fit
from zfrepro.training.inputs import class_name, grey
from zfrepro.training.trained import Trained

FIGURES = RESULTS / "figures" / "figure7"
OTHERS = 3  # images whose projection of the same map stands beside

Ints = npt.NDArray[np.int64]


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    split = prepared.split(settings["split"])
    shutil.rmtree(FIGURES, ignore_errors=True)
    numbers = sample(split, settings)
    names = networks(settings)
    for name in names:
        check_fit(trained(name), prepared)
    crop = trained(names[0]).crop
    boxes = boxes_of(prepared, split, numbers, crop)
    table = pd.DataFrame(
        [row for name in names for row in scored(name, split, numbers, boxes, settings)]
    )
    with files.atomic_path(FIGURES / "drops.csv") as path:
        table.assign(path=split.paths_of(table["image"])).to_csv(
            path, index=False, float_format="%.5g"
        )
    draw(
        names[0], prepared, split, table, dict(zip(numbers.tolist(), boxes, strict=True)), settings
    )
    found = summary(table)
    files.write_json(FIGURES / "measures.json", measures(found, table))
    files.atomic_write(FIGURES / "report.md", report(found, table, settings))


def boxes_of(prepared: PreparedSet, split: Split, numbers: Ints, crop: int) -> list[Box | None]:
    """The part of each image's object that the crop shows; None where that is not known."""
    known = annotations.of_images(prepared.folder, split.name, split.paths_of(numbers))
    if known is None:
        return [None] * len(numbers)
    return [
        each.box and Placement.of(each.width, each.height, prepared.image_size, crop).box(each.box)
        for each in known
    ]


def scored(
    name: str, split: Split, numbers: Ints, boxes: Sequence[Box | None], settings: Config
) -> Iterator[dict[str, object]]:
    """What one network loses, image by image; NaN where the object's place is not known."""
    network = trained(name)
    chain, square = Chain(network.net), square_of(network, settings, "scored_stride")
    read, covered = reader(network, split), grey(network, square.value)
    bar = tqdm(numbers, desc=f"{name}, occlusion", unit="image", disable=None)
    for number, box in zip(bar, boxes, strict=True):
        label = int(split.labels[number])
        found = occlusion.occlude(
            chain, read(np.array([number]))[0], covered, square, settings["layer"], label
        )
        drop = occlusion.drop(found, box) if box else None
        yield {
            "network": name,
            "image": number,
            "class": class_name(network, label),
            "probability": found.clean_probability,
            "right": found.clean_best == label,
            "on": drop.on if drop else np.nan,
            "off": drop.off if drop else np.nan,
            "score": drop.score if drop else np.nan,
        }


def square_of(network: Trained, settings: Config, stride: str) -> Square:
    return Square.of(network.crop, stride=settings[stride], **settings["square"])


def draw(
    name: str,
    prepared: PreparedSet,
    split: Split,
    table: pd.DataFrame,
    boxes: dict[int, Box | None],
    settings: Config,
) -> None:
    """The figure: the first images, of one class each, that the network gets right."""
    network = trained(name)
    deconvnet = Deconvnet(network.net)
    mine = table[table["network"] == name]
    chosen = mine[mine["right"]] if mine["right"].any() else mine
    chosen = chosen.drop_duplicates("class").head(settings["shown"])
    best = strongest_of(
        name, network, split, deconvnet, deconvnet.chain.layers, prepared.manifest["digest"]
    )
    best = best[best["layer"] == settings["layer"]]
    square = square_of(network, settings, "stride")
    read, show = reader(network, split), pictures(network, split)
    rows = []
    for number in chosen["image"]:
        image = read(np.array([number]))
        found = occlusion.occlude(
            deconvnet.chain, image[0], grey(network, square.value), square, settings["layer"],
            int(split.labels[number]),
        )  # fmt: skip
        others = best[(best["map"] == found.map) & (best["image"] != number)].head(OTHERS)
        shown = np.concatenate([[number], others["image"].to_numpy(np.int64)])
        projections = occlusion.projections(deconvnet, settings["layer"], found.map, read(shown))
        rows.append(
            drawing.Row(
                show(shown), projections, found, boxes[number],
                [class_name(network, i) for i in range(len(network.classes))],
            )
        )  # fmt: skip
    drawing.draw(rows, settings["layer"], FIGURES / "figure7", f"{name}: what a grey square hides")
    maps = [
        row.occluded.to_table().assign(image=number)
        for row, number in zip(rows, chosen["image"], strict=True)
    ]
    with files.atomic_path(FIGURES / "maps.csv") as path:
        pd.concat(maps).to_csv(path, index=False, float_format="%.5g")


def summary(table: pd.DataFrame) -> dict[str, bootstrap.Interval]:
    """Mean losses, each image's averaged over the networks, with intervals over images."""
    known = table.dropna(subset=["on", "off"])
    if known.empty:
        return {}
    by_image = known.groupby("image")[["on", "off", "score"]].mean()
    return {
        "drop_on_object": bootstrap.of_images(by_image["on"]),
        "drop_off_object": bootstrap.of_images(by_image["off"]),
        "difference": bootstrap.of_images(by_image["score"]),
    }


def measures(found: dict[str, bootstrap.Interval], table: pd.DataFrame) -> dict[str, float]:
    values: dict[str, float] = {"images": table["image"].nunique()}
    for name, interval in found.items():
        values |= {
            name: round(interval.mean, 5),
            f"{name}_low": round(interval.low, 5),
            f"{name}_high": round(interval.high, 5),
        }
    if found:
        values["scored"] = table.dropna(subset=["on"])["image"].nunique()
        values["difference_deviation_over_seeds"] = round(float(by_network(table).std()), 5)
    return values


def by_network(table: pd.DataFrame) -> "pd.Series[float]":
    return table.groupby("network")["score"].mean()


def report(found: dict[str, bootstrap.Interval], table: pd.DataFrame, settings: Config) -> str:
    side, value = settings["square"]["side"], settings["square"]["value"]
    head = (
        "# Figure 7: what a grey square hides\n\n"
        "The paper's claim: the probability of the true class drops when the object is covered, "
        "not when its surroundings are.\n"
        f"Square of {side}/{occlusion.PAPER_CROP} of the crop, grey {value}; chosen, as the paper "
        "gives neither.\n\n"
    )
    if not found:
        return head + "No score: nothing says where the objects are (no annotations).\n"
    scored = table.dropna(subset=["on"])["image"].nunique()
    lines = [
        f"* {label}: {100 * each.mean:.1f} points [{100 * each.low:.1f}, {100 * each.high:.1f}]\n"
        for label, each in (
            ("probability lost with the square's centre on the object", found["drop_on_object"]),
            ("with the centre off it", found["drop_off_object"]),
            ("difference", found["difference"]),
        )
    ]
    deviation = f", ± {100 * by_network(table).std():.1f} over networks"
    return (
        f"{head}{scored} images with object and surroundings in the crop, "
        f"{table['network'].nunique()} networks; 95 % intervals over images:\n\n"
        + "".join(lines).rstrip()
        + f"{deviation}\n\n{verdict('It costs more to cover the object', found['difference'])}\n"
    )


if __name__ == "__main__":
    stage("occlusion", __doc__, run, "figures/figure7")
