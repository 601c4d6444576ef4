"""Stage `evaluate`: every network's prediction for each image, and its errors beside the paper's.

Writes results/predictions/<experiment>/<split>_<crops>.parquet; the errors as a table, in
results/tables/errors.{csv,md,png}, and as DVC's metrics, in results/errors/<experiment>.json and
results/naive/<classifier>.json; and results/figures/confusion/<experiment>.png.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.config import Config
from zfrepro.data.naive import naive_errors
from zfrepro.data.store import PreparedSet
from zfrepro.fingerprint import fingerprint
from zfrepro.inference import predictions
from zfrepro.models.memory import keep_freed_memory
from zfrepro.predicted import evaluated
from zfrepro.render import confusion, tables
from zfrepro.results import read_recipe
from zfrepro.sharing import at_once, gpus
from zfrepro.workers import shared_map

RESULTS = config.ROOT / "results"
METRICS = (
    "val_top1",
    "paper_val_top1",
    "val_top5",
    "paper_val_top5",
    "val_top1_ten_crops",
    "val_top5_ten_crops",
    "train_top1_ten_crops",
)
NAIVE = {
    "mean_colour": "naive: nearest mean colour",
    "grey_thumbnail": "naive: nearest 8x8 grey thumbnail",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", help="all of conf/experiment/ if none is named")
    experiments = parser.parse_args().experiments or config.options("experiment")
    with shell():
        run(experiments)


def run(experiments: Sequence[str]) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    trainers = [_resolved(name)["trainer"] for name in experiments]
    beside = min(len(experiments), *map(at_once, trainers))
    with shared_map(beside, gpus(trainers[0])) as each:
        trained = each(partial(_trained_row, prepared), experiments)
        rows = list(tqdm(trained, "evaluating", len(experiments), unit="network", disable=None))
    table = pd.DataFrame([*rows, *_naive_rows(prepared)])
    table = table.astype(dict.fromkeys(("parameters", "epochs", "seed"), "Int64"))
    path = RESULTS / "tables" / "errors.csv"
    shown = table.drop(columns="file")
    guessing = [
        name for name in experiments
        if predictions.knows_nothing(RESULTS / "predictions" / name / "val_centre.parquet")
    ]  # fmt: skip
    note = f"No better than chance on the validation images: {', '.join(guessing)}."
    tables.write(shown, path, note=note if guessing else "")
    tables.bars(
        shown,
        path.with_suffix(".png"),
        label="row",
        pairs={
            name: columns
            for name, columns in (
                ("top-1", ("val_top1", "paper_val_top1")),
                ("top-5", ("val_top5", "paper_val_top5")),
            )
            if table[columns[0]].notna().any()
        },
        title=f"Validation errors on {prepared.manifest['source']}, one centre crop",
    )
    for _, row in table.iterrows():
        files.write_json(RESULTS / f"{row['file']}.json", _metrics(row))
    print(tables.markdown(shown))
    if guessing:
        print(note)


def _resolved(name: str) -> Config:
    return config.load(config.CONFIGS / f"{name}.yaml")


def _trained_row(prepared: PreparedSet, name: str) -> dict[str, object]:
    from zfrepro.devices import device_of  # noqa: PLC0415  where workers do it, they alone
    from zfrepro.training.trained import load  # noqa: PLC0415

    keep_freed_memory()
    folder = RESULTS / "runs" / name
    recipe = read_recipe(folder)
    last = json.loads((folder / "metrics.json").read_text())
    resolved = _resolved(name)
    paper, device = resolved["paper"], device_of(resolved["trainer"]["accelerator"])
    trained = load(folder / "weights.pt").to(device)
    made = evaluated(trained, recipe["fingerprint"], prepared, name)
    kept = RESULTS / "predictions" / name
    files.link_tree(made, kept, sorted(path.name for path in made.glob("*.parquet")))
    _draw_confusion(name, kept / "val_ten.parquet", prepared)
    return {
        "file": f"errors/{name}",
        "row": name,
        "parameters": recipe["parameters"],
        "epochs": last["epochs"],
        "seed": recipe["seed"],
        "val_top1": _error(kept / "val_centre.parquet", 1),
        "paper_val_top1": paper["val_top1"],
        "val_top5": _error(kept / "val_centre.parquet", 5),
        "paper_val_top5": paper["val_top5"],
        "val_top1_ten_crops": _error(kept / "val_ten.parquet", 1),
        "val_top5_ten_crops": _error(kept / "val_ten.parquet", 5),
        "train_top1_ten_crops": _error(kept / "train_ten.parquet", 1),
        "fingerprint": recipe["fingerprint"],
    }


def _error(path: Path, at: int) -> float:
    if not predictions.says_something(path, at):
        return np.nan
    return 100 * float(predictions.wrong(path, at).mean())


def _draw_confusion(name: str, path: Path, prepared: PreparedSet) -> None:
    names = [name for _, name in prepared.classes]
    counts = confusion.confusion(path, len(names))
    picture = RESULTS / "figures" / "confusion" / f"{name}.png"
    confusion.draw(counts, names, picture, f"{name}, ten crops")


def _naive_rows(prepared: PreparedSet) -> Iterator[dict[str, object]]:
    """Worked out once for the same images: minutes, of ImageNet's."""
    mark = fingerprint({"data": prepared.manifest["digest"]}, ["zfrepro.data.naive"])
    path = config.CHECKPOINTS / f"naive-{mark}" / "errors.json.gz"
    content = files.kept(path)
    if content is None:
        found = naive_errors(prepared.split("train"), prepared.split("val"))
        content = files.to_json(found).encode()
        files.keep(path, content)
    errors = json.loads(content)
    for kind, row in NAIVE.items():
        yield {"file": f"naive/{kind}", "row": row, "val_top1": errors[kind]}


def _metrics(row: "pd.Series[float]") -> dict[str, float]:
    return {key: round(row[key], 4) for key in METRICS if pd.notna(row[key])}


if __name__ == "__main__":
    main()
