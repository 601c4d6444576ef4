"""The source's training images that the transfer sets hold too: looked for, counted, drawn."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from zfrepro import config, files
from zfrepro.config import Config
from zfrepro.cores import cores
from zfrepro.data import excluded
from zfrepro.data.overlap import Rule, collect, read, shared
from zfrepro.data.store import ABSENT, PreparedSet, Split
from zfrepro.elements.overlap import plot
from zfrepro.fingerprint import fingerprint
from zfrepro.outcome import MEASURES, write_measures
from zfrepro.render.tables import markdown

RESULTS = config.ROOT / "results"
OUT, FIGURES = RESULTS / "overlap", RESULTS / "figures" / "overlap"
SHOWN = 24  # pairs in the picture
PAPER = {"caltech101": (44, 10), "caltech256": (243, 18)}  # shared images, most of them in a class
COLUMNS = {
    "set": str, "split": str, "image": np.int64, "path": str, "class": str,
    "source_image": np.int64, "source_path": str, "correlation": np.float32,
}  # fmt: skip


def run(settings: Config) -> None:
    source = PreparedSet.open(prepared("source"))
    sets = {name: PreparedSet.open(prepared(name)) for name in present()}
    pairs = pairs_of(source, sets, settings)
    write(pairs, OUT / "pairs.parquet")
    exclude(pairs, source, OUT / "excluded.parquet")
    summary = pd.DataFrame([counts(name, each, pairs) for name, each in sets.items()])
    report(summary, pairs, sets, source.split("train"), settings)


def pairs_of(
    source: PreparedSet, sets: Mapping[str, PreparedSet], settings: Config
) -> pd.DataFrame:
    """The pairs of all transfer sets, with `COLUMNS`."""
    rule = Rule(settings["side"], settings["candidate"], settings["threshold"])
    parts = [found(name, each, source, rule) for name, each in sets.items()]
    return pd.concat([empty(), *parts], ignore_index=True) if parts else empty()


def exclude(pairs: pd.DataFrame, source: PreparedSet, path: Path) -> None:
    """Writes the training images that are in pairs to `path`."""
    images = np.unique(pairs["source_image"].to_numpy())
    paths = source.split("train").paths_of(images)
    excluded.write(path, images, paths, source.manifest["digest"])


def present() -> list[str]:
    """The transfer sets that the profile has."""
    return [name for name in config.TRANSFER_SETS if not (prepared(name) / ABSENT).exists()]


def prepared(name: str) -> Path:
    return RESULTS / "prepared" / name


def found(name: str, transfer: PreparedSet, source: PreparedSet, rule: Rule) -> pd.DataFrame:
    """The pairs of one transfer set, with `COLUMNS`."""
    blocks = greys_of(source, "train")
    train = source.split("train")
    tables = []
    for split_name in transfer.manifest["splits"]:
        split = transfer.split(split_name)
        others = np.concatenate([read(path) for path in greys_of(transfer, split_name)])
        pairs = shared(map(read, blocks), others, rule)
        tables.append(
            pd.DataFrame({
                "set": name,
                "split": split_name,
                "image": pairs.others,
                "path": split.paths_of(pairs.others),
                "class": [class_of(transfer, label) for label in split.labels[pairs.others]],
                "source_image": pairs.sources,
                "source_path": train.paths_of(pairs.sources),
                "correlation": pairs.correlations,
            })
        )  # fmt: skip
    return pd.concat(tables).sort_values("correlation", ascending=False)


def greys_of(images: PreparedSet, split: str) -> list[Path]:
    """Thumbnails of a split; kept, and found again."""
    mark = fingerprint({"data": images.manifest["digest"]}, ["zfrepro.data.overlap"])
    folder = config.CHECKPOINTS / f"greys-{mark}"
    with files.exclusive(folder, "making thumbnails"):
        return collect(images, split, folder, workers=cores())


def class_of(images: PreparedSet, label: int) -> str:
    return images.classes[label][0] if label >= 0 else ""


def counts(name: str, transfer: PreparedSet, pairs: pd.DataFrame) -> Config:
    """What is shared; beside what is known, where copies were planted."""
    of_set = pairs[pairs["set"] == name]
    images = of_set.drop_duplicates(["split", "image"])
    row: Config = {
        "set": name,
        "images": sum(split["images"] for split in transfer.manifest["splits"].values()),
        "shared": len(images),
        "most_in_a_class": int(images["class"].value_counts().max()) if len(images) else 0,
        "training_images_removed": of_set["source_image"].nunique(),
    }
    shared_in_paper, most_in_paper = PAPER.get(name, (None, None))
    row |= {"paper_shared": shared_in_paper, "paper_most_in_a_class": most_in_paper}
    return row | planted(transfer.folder / "annotations" / "planted.parquet", of_set)


def planted(path: Path, pairs: pd.DataFrame) -> Config:
    """Recall and precision, in percent, against the copies that a rendered set has."""
    if not path.is_file():
        return {}
    keys = ["path", "source_path"]
    truth = set(pd.read_parquet(path)[keys].itertuples(index=False, name=None))
    mine = set(pairs[keys].itertuples(index=False, name=None))
    right = len(truth & mine)
    return {
        "planted": len(truth),
        "recall": 100 * right / len(truth) if truth else None,
        "precision": 100 * right / len(mine) if mine else None,
    }


def report(
    summary: pd.DataFrame, pairs: pd.DataFrame, sets: dict[str, PreparedSet], train: Split,
    settings: Config,
) -> None:  # fmt: skip
    measures = {
        f"{column}/{row['set']}": float(row[column])
        for row in summary.to_dict("records")
        for column in row
        if column != "set" and pd.notna(row[column])
    }
    write_measures(FIGURES / MEASURES, measures)
    files.atomic_write(FIGURES / "pairs.csv", pairs.to_csv(index=False))
    named = summary.convert_dtypes().rename(columns=lambda name: name.replace("_", " "))
    shown = markdown(named) if len(summary) else "This profile has no transfer sets.\n"
    files.atomic_write(
        FIGURES / "report.md",
        "# Images that the source's training set and the transfer sets share\n\n"
        f"Grey thumbnails that correlate {settings['threshold']} or more once aligned. Their "
        "training images are left out of training; the mean image stays that of all.\n\n"
        f"{shown}",
    )
    if len(pairs):
        title = "Shared images: of each pair, the transfer set's and the source's"
        plot.draw(list(chosen(pairs, sets, train)), FIGURES / "pairs", title)


def chosen(pairs: pd.DataFrame, sets: dict[str, PreparedSet], train: Split) -> Iterator[plot.Shown]:
    """Pairs evenly from the surest to the most doubtful."""
    ordered = pairs.sort_values("correlation", ascending=False)
    places = np.unique(np.linspace(0, len(ordered) - 1, min(SHOWN, len(ordered))).round())
    for row in ordered.iloc[places.astype(int)].to_dict("records"):
        transfer = sets[row["set"]].split(row["split"])
        yield plot.Shown(
            transfer[row["image"]].astype(np.float32) / np.float32(255),
            train[row["source_image"]].astype(np.float32) / np.float32(255),
            f"{row['set']} {Path(row['path']).stem}\n{Path(row['source_path']).stem}: "
            f"{row['correlation']:.3f}",
        )


def empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def write(table: pd.DataFrame, path: Path) -> None:
    with files.atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
