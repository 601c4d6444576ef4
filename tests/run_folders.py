"""Small finished runs, as a training would leave them."""

import csv
import json
from pathlib import Path
from typing import Any

import torch

from zfrepro import config
from zfrepro.models.convnet import build
from zfrepro.training.trained import FORMAT

CLASSES = [["n01", "red fox"], ["n02", "crane"], ["n03", "crane"], ["n04", "cup"]]
LAYERS = {
    "conv1": {"maps": 8, "kernel": 7, "stride": 2, "padding": 1, "then": ["relu", "pool"]},
    "fc2": {"units": "classes"},
}
MODEL = {
    "name": "zfnet", "width": 0.1, "normalisation": "none", "dropout": 0.5, "layers": LAYERS,
    "pool": {"kernel": 3, "stride": 2, "ceil": True},
}  # fmt: skip
IMAGE_SIZE, CROP = 32, 28
MANIFEST = {
    "digest": "d" * 64,
    "source": "miniature",
    "splits": {"train": {"images": 300}, "val": {"images": 100}},
}


Config = dict[str, Any]


def run_config(tracking: Config, name: str = "tab3_zfnet", **changes: Any) -> Config:
    return {
        "name": name,
        "profile": "smoke",
        "seed": 0,
        "base_seed": 0,
        "crop": CROP,
        "data": {"name": "miniature", "root": "data", "image_size": IMAGE_SIZE},
        "model": MODEL,
        "training": {"epochs": 4, "batch": 32, "lr": 0.01, "momentum": 0.9, "crops": "ten"},
        "tracking": tracking,
        "paper": {
            "table": "table3", "row": name, "val_top1": 38.4, "val_top5": 16.5, "train_top1": None,
        },
    } | changes  # fmt: skip


def epochs(count: int = 4) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch, "train/loss": 3 / epoch, "train/top1": 80 / epoch,
            "val/loss": 4 / epoch, "val/top1": 90 / epoch, "val/top5": 40 / epoch,
            "lr": 0.01, "seconds": 2.0, "images_per_second": 100.0,
        }
        for epoch in range(1, count + 1)
    ]  # fmt: skip


def save_weights(path: Path) -> torch.nn.Module:
    """A net with weights far from its first ones, so that probabilities differ between classes."""
    net = build(**MODEL, classes=len(CLASSES), crop=CROP, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        net.fc2.weight.normal_(0, 0.02, generator=generator)
    torch.save(
        {
            "format": FORMAT,
            "model": net.spec,
            "state_dict": net.state_dict(),
            "classes": CLASSES,
            "mean": torch.rand(IMAGE_SIZE, IMAGE_SIZE, 3, generator=generator) * 255,
            "image_size": IMAGE_SIZE,
            "crop": CROP,
            "filter": "bicubic",
            "precision": "32-true",
        },
        path,
    )
    return net.eval()


def write_run(
    folder: Path, cfg: Config, fingerprint: str = "f" * 16, revision: str | None = "abc123"
) -> Path:
    """The files that `zfrepro.train` leaves in `run/`."""
    folder.mkdir(parents=True)
    rows = epochs(cfg["training"]["epochs"])
    (folder / "config.yaml").write_text(config.to_yaml(cfg))
    with (folder / "epochs.csv").open("w", newline="") as lines:
        table = csv.DictWriter(lines, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    errors = {key: rows[-1][key] for key in rows[-1] if key.startswith(("train/", "val/"))}
    recipe = {
        "fingerprint": fingerprint,
        "experiment": cfg["name"],
        "profile": cfg["profile"],
        "seed": cfg["seed"],
        "parameters": 1234,
        "git_revision": revision,
        "started": "2024-01-01T00:00:00+00:00",
        "finished": "2024-01-01T00:00:10+00:00",
        "data": MANIFEST,
        "precision": "32-true",
        "processes": 1,
    }
    (folder / "run.json").write_text(json.dumps(recipe))
    (folder / "metrics.json").write_text(json.dumps(errors | {"epochs": len(rows)}))
    save_weights(folder / "weights.pt")
    return folder
