"""What a finished training leaves: weights, learning curves and final errors, as files."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from zfrepro.data.store import PreparedSet
from zfrepro.files import atomic_path, write_json
from zfrepro.training.chance import at_chance
from zfrepro.training.checkpoints import BEST
from zfrepro.training.fit import Fitted
from zfrepro.training.module import Row
from zfrepro.training.setbacks import GIVEN_UP, counted
from zfrepro.training.setbacks import best as best_of
from zfrepro.training.trained import Trained, save

WEIGHTS = "weights.pt"
CURVES = "epochs.csv"
COLUMNS = [
    "epoch", "train/loss", "train/top1", "train/top5", "val/loss", "val/top1", "val/top5", "lr",
    "seconds", "images_per_second",
]  # fmt: skip


def write(folder: Path, fitted: Fitted, prepared: PreparedSet, crop: int) -> None:
    """Writes `weights.pt`, `epochs.csv` and, last, `metrics.json` (the errors of those weights).

    Where the weights of the least validation error are kept, also `best.pt`, like `weights.pt`.
    """
    last, best = counted(fitted.history)[-1], best_of(fitted.history)
    trained = Trained(
        net=fitted.net,
        mean=fitted.mean,
        image_size=prepared.image_size,
        crop=crop,
        classes=list(prepared.classes),
        resize_filter=prepared.manifest["filter"],
        precision=fitted.precision,
        at_chance=at_chance(last["val/top1"], prepared.split("val").labels),
    )
    _save(trained, folder / WEIGHTS)
    _write_curves(folder / CURVES, fitted.history)
    metrics = {key: round(last[key], 6) for key in last if key.startswith(("train/", "val/"))}
    metrics |= {"epochs": len(fitted.history), "at_chance": trained.at_chance}
    if fitted.best is not None:
        trained.net.load_state_dict(fitted.best)
        kept = at_chance(best["val/top1"], prepared.split("val").labels)
        _save(replace(trained, at_chance=kept), folder / BEST)
        metrics |= {"best/epoch": int(best["epoch"]), "best/val_top1": round(best["val/top1"], 6)}
    write_json(folder / "metrics.json", metrics)


def _save(trained: Trained, path: Path) -> None:
    with atomic_path(path) as temporary:
        save(trained, temporary)


def _write_curves(path: Path, history: list[Row]) -> None:
    """One row an epoch; errors in percent."""
    columns = [*COLUMNS, *([GIVEN_UP] if GIVEN_UP in history[0] else [])]
    table = pd.DataFrame(history, columns=columns).astype({"epoch": int})
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
