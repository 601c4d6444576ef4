"""What a finished training leaves: weights, learning curves and final errors, as files."""

from pathlib import Path

import torch

from zfrepro.data.store import PreparedSet
from zfrepro.files import atomic_path, write_json
from zfrepro.training.callbacks import CURVES, write_curves
from zfrepro.training.fit import Fitted

WEIGHTS = "weights.pt"


def write(folder: Path, fitted: Fitted, prepared: PreparedSet, crop: int) -> None:
    """Writes `weights.pt`, `epochs.csv` and, last, `metrics.json` (the last epoch's errors)."""
    with atomic_path(folder / WEIGHTS) as path:
        torch.save(
            {
                "model": fitted.net.spec,
                "state_dict": fitted.net.state_dict(),
                "classes": [list(pair) for pair in prepared.classes],
                "mean": torch.from_numpy(prepared.mean),
                "image_size": prepared.image_size,
                "filter": prepared.manifest["filter"],
                "crop": crop,
                "precision": fitted.precision,
            },
            path,
        )
    write_curves(folder / CURVES, fitted.history)
    last = fitted.history[-1]
    metrics = {key: round(last[key], 6) for key in last if key.startswith(("train/", "val/"))}
    write_json(folder / "metrics.json", metrics | {"epochs": len(fitted.history)})
