"""What a finished training leaves: weights, learning curves and final errors, as files."""

from pathlib import Path

import pandas as pd
import torch

from zfrepro.data.store import PreparedSet
from zfrepro.files import atomic_path, write_json
from zfrepro.training.fit import Fitted
from zfrepro.training.module import Row
from zfrepro.training.trained import Trained, save

WEIGHTS = "weights.pt"
CURVES = "epochs.csv"
COLUMNS = [
    "epoch", "train/loss", "train/top1", "train/top5", "val/loss", "val/top1", "val/top5", "lr",
    "seconds", "images_per_second",
]  # fmt: skip


def write(folder: Path, fitted: Fitted, prepared: PreparedSet, crop: int) -> None:
    """Writes `weights.pt`, `epochs.csv` and, last, `metrics.json` (the last epoch's errors)."""
    with atomic_path(folder / WEIGHTS) as path:
        trained = Trained(
            net=fitted.net,
            mean=torch.from_numpy(prepared.mean),
            image_size=prepared.image_size,
            crop=crop,
            classes=list(prepared.classes),
            resize_filter=prepared.manifest["filter"],
            precision=fitted.precision,
        )
        save(trained, path)
    _write_curves(folder / CURVES, fitted.history)
    last = fitted.history[-1]
    metrics = {key: round(last[key], 6) for key in last if key.startswith(("train/", "val/"))}
    write_json(folder / "metrics.json", metrics | {"epochs": len(fitted.history)})


def _write_curves(path: Path, history: list[Row]) -> None:
    """One row an epoch; errors in percent."""
    table = pd.DataFrame(history, columns=COLUMNS).astype({"epoch": int})
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
