"""Stage `correspondence`: table 1 and figure 8, whether a part means the same in different faces.

Writes results/tables/table1.{csv,md,png} and to results/figures/figure8: figure8.{png,pdf};
opposite.png, as table 1, of the features that change in both images alone; networks.csv, each
network's values; pairs.csv, how much less two faces differ than at random places; measures.json and
report.md. Where nothing says where the parts are, the table
holds the paper's numbers alone.
"""

import itertools
import shutil
from collections.abc import Mapping, Sequence

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
    trained,
    verdict,
)
from zfrepro import files
from zfrepro.analysis import bootstrap, correspondence
from zfrepro.analysis.chain import Chain
from zfrepro.analysis.correspondence import RANDOM, Found
from zfrepro.analysis.occlusion import PAPER_CROP, Square
from zfrepro.config import Config
from zfrepro.data import annotations
from zfrepro.data.annotations import Placement, Point
from zfrepro.data.store import PreparedSet, Split
from zfrepro.report import correspondence as drawing
from zfrepro.report import tables
from zfrepro.training.evaluation import check_fit
from zfrepro.training.inputs import grey

FIGURES = RESULTS / "figures" / "figure8"
TABLE = RESULTS / "tables" / "table1.csv"

Faces = dict[int, dict[str, Point]]  # of each image the landmarks in its crop


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    split = prepared.split(settings["split"])
    shutil.rmtree(FIGURES, ignore_errors=True)
    names, layers = networks(settings), settings["layers"]
    for name in names:
        check_fit(trained(name), prepared)
    faces = faces_of(prepared, split, trained(names[0]).crop, settings)
    if len(faces) < 2:
        write_table(correspondence.no_table(layers), layers, "Here: no annotated faces.")
        files.write_json(FIGURES / "measures.json", {"images": len(faces)})
        files.atomic_write(
            FIGURES / "report.md", f"{HEAD}No two images with landmarks: no value.\n"
        )
        return
    found = {
        name: consistency(name, split, faces, settings)
        for name in tqdm(names, desc="correspondence", unit="network", disable=None)
    }
    draw(names[0], split, faces, settings)
    table = correspondence.table(list(found.values()), layers)
    note = f"{len(faces)} faces, {len(names)} networks; ± over pairs, 95 % intervals over images."
    write_table(table, layers, note)
    opposite = correspondence.table(list(found.values()), layers, "disagreement")
    drawing.draw_table(
        opposite, FIGURES / "opposite.png", "Features that change in both images",
        "share in opposite directions",
    )  # fmt: skip
    values = by_network(found)
    of_pairs = by_pair(list(found.values()), list(faces), layers)
    for stem, rows in (("networks", values), ("pairs", of_pairs)):
        with files.atomic_path(FIGURES / f"{stem}.csv") as path:
            rows.to_csv(path, index=False, float_format="%.5g")
    files.write_json(FIGURES / "measures.json", measures(found, table, len(faces), layers))
    files.atomic_write(FIGURES / "report.md", report(found, values, table, note, settings))


def faces_of(prepared: PreparedSet, split: Split, crop: int, settings: Config) -> Faces:
    """Images whose landmarks all lie in the crop, spread over the classes."""
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
    return {int(number): mapped[int(number)] for number in sample(split, settings, usable)}


def consistency(name: str, split: Split, faces: Faces, settings: Config) -> Found:
    network = trained(name)
    square = square_of(network.crop, settings)
    return correspondence.consistency(
        Chain(network.net), reader(network, split)(np.array(list(faces))),
        grey(network, square.value), list(faces.values()), square.side, settings["layers"],
        draws=settings["draws"], seed=settings["seed"],
    )  # fmt: skip


def square_of(crop: int, settings: Config) -> Square:
    return Square.of(crop, stride=PAPER_CROP, **settings["square"])


def draw(name: str, split: Split, faces: Faces, settings: Config) -> None:
    network = trained(name)
    square = square_of(network.crop, settings)
    shown = list(faces)[: settings["shown"]]
    images = pictures(network, split)(np.array(shown))
    places = correspondence.placed(
        [faces[number] for number in shown], square.side, network.crop, draws=1,
        seed=settings["seed"],
    )  # fmt: skip
    rows = {"original": list(images)}
    rows |= {label: hidden(images, squares, square) for label, squares in places}
    drawing.draw(rows, FIGURES / "figure8", "Faces with a part, or a random place, covered")


def hidden(
    images: npt.NDArray[np.float32], squares: npt.NDArray[np.int64], square: Square
) -> list[npt.NDArray[np.float32]]:
    """The images (N, h, w, 3) with their squares (N, 2) covered."""
    covered = images.copy()
    for image, (top, left) in zip(covered, squares, strict=True):
        image[top : top + square.side, left : left + square.side] = square.value / 255
    return list(covered)


def write_table(table: pd.DataFrame, layers: Sequence[str], note: str) -> None:
    compared = drawing.with_paper(table, layers)
    tables.write(compared, TABLE, drawing.readable(compared, layers), note)
    drawing.draw_table(compared, TABLE.with_suffix(".png"), f"Table 1. {note}")


def by_network(found: Mapping[str, Found]) -> pd.DataFrame:
    """Each network's means over pairs and draws, and the share of features that a mask changes."""
    return pd.DataFrame([
        {
            "network": name, "occlusion": part, "layer": layer,
            "hamming": bootstrap.of_pairs(each.hamming.mean(0)).mean,
            "disagreement": bootstrap.of_pairs(correspondence.mean_of(each.disagreement)).mean,
            "changed": float(each.changed.mean()),
        }
        for name, of_network in found.items() for (part, layer), each in of_network.items()
    ])  # fmt: skip


def by_pair(
    networks: Sequence[Found], images: Sequence[int], layers: Sequence[str]
) -> pd.DataFrame:
    """How much more two faces differ at random places than at a part, a row a pair, over networks.

    Args:
        images: their numbers, in the order of the pairs.
    """
    first, second = np.triu_indices(len(images), 1)
    numbers = np.array(images)
    parts = [part for part in dict.fromkeys(part for part, _ in networks[0]) if part != RANDOM]
    tables = []
    for part, layer in itertools.product(parts, layers):
        below = {
            measure: correspondence.below_random(networks, part, layer, measure)[first, second]
            for measure in ("hamming", "disagreement")
        }
        pair = {"image": numbers[first], "other": numbers[second]}
        tables.append(pd.DataFrame({"occlusion": part, "layer": layer, **pair, **below}))
    return pd.concat(tables, ignore_index=True)


def measures(
    found: Mapping[str, Found], table: pd.DataFrame, images: int, layers: Sequence[str]
) -> dict[str, float]:
    values: dict[str, float] = {"images": images}
    for row in table.to_dict("records"):
        for layer in layers:
            values |= {
                f"{layer}/{row['occlusion']}{end}": round(row[f"{layer}_{name}"], 5)
                for end, name in (("", "mean"), ("_low", "low"), ("_high", "high"))
            }
            if row["occlusion"] != RANDOM:
                values |= below_random(found, row["occlusion"], layer)
    return values


def below_random(found: Mapping[str, Found], part: str, layer: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for measure in ("hamming", "disagreement"):
        more = correspondence.against_random(list(found.values()), part, layer, measure)
        name = f"{layer}/{part}_{measure}_below_random"
        values |= {name: round(more.mean, 5), f"{name}_low": round(more.low, 5),
                   f"{name}_high": round(more.high, 5)}  # fmt: skip
    return values


HEAD = (
    "# Table 1 and figure 8: whether a part means the same in different faces\n\n"
    "The paper's claim: at layer 5 hiding an eye or the nose changes the features of different "
    "faces more alike (lower Hamming distance of the signs of the change) than hiding a random "
    "place; at layer 7 no longer.\n\n"
)


def report(
    found: Mapping[str, Found],
    values: pd.DataFrame,
    table: pd.DataFrame,
    note: str,
    settings: Config,
) -> str:
    layers = settings["layers"]
    compared = drawing.readable(drawing.with_paper(table, layers), layers)
    lines = []
    for layer in layers:
        for part in table["occlusion"]:
            if part == RANDOM:
                continue
            pairs = {
                measure: correspondence.against_random(list(found.values()), part, layer, measure)
                for measure in ("hamming", "disagreement")
            }
            where = f"{layer}, {part.replace('_', ' ')}"
            first = verdict(f"{where} more consistent than random places", pairs["hamming"])
            lines.append(
                f"* {first} Random less part: {_shown(pairs['hamming'])}; of the features that "
                f"change in both images: {_shown(pairs['disagreement'])}\n"
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


def _shown(interval: bootstrap.Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


if __name__ == "__main__":
    stage("correspondence", __doc__, run, "figures/figure8")
