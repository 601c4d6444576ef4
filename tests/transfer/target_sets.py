"""Small prepared sets as the real ones are prepared, and a network that was trained elsewhere."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from zfrepro import config
from zfrepro.data.index import SCHEMA
from zfrepro.data.store import PreparedSet, seal
from zfrepro.files import digests
from zfrepro.models.convnet import build
from zfrepro.training.trained import Trained, save

SIZE = 64
CLASSES = ("BACKGROUND_Google", "accordion", "airplanes", "anchor", "ant")
OBJECTS = ("aeroplane", "bicycle", "bird", "boat")


def grating(kind: int, rng: np.random.Generator) -> Any:
    """(S, S, 3): stripes whose direction and width the class decides, with noise."""
    y, x = np.mgrid[:SIZE, :SIZE]
    angle, pitch = kind * 0.6, 2 + kind % 3
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) / pitch + rng.uniform(0, 6.28))
    return 127 + 60 * wave[..., None] + rng.normal(0, 35, (SIZE, SIZE, 3))


def write_split(folder: Path, name: str, images: Any, labels: Any, paths: Sequence[str]) -> Any:
    """The array and the index of a split; returns what the manifest says of it."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = images.clip(0, 255).astype(np.uint8)
    np.save(folder / f"{name}.npy", pixels)
    columns = {field.name: pa.nulls(len(labels), field.type) for field in SCHEMA} | {
        "label": pa.array(labels, SCHEMA.field("label").type),
        "path": pa.array(paths),
        "crc": pa.array([zlib.crc32(image.data) for image in pixels], pa.uint32()),
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / f"{name}.parquet")
    return {"images": len(labels), "skipped": 0, "duplicates": 0, "digest": f"of {name}"}


def write_manifest(folder: Path, classes: Sequence[str], splits: Any) -> PreparedSet:
    np.save(folder / "mean.npy", np.full((SIZE, SIZE, 3), 127, np.float32))
    manifest = {
        "fingerprint": "f" * 16, "digest": f"digest of {folder.name}", "source": folder.name,
        "image_size": SIZE, "storage": "uint8", "filter": "bilinear", "config": {},
        "classes": [{"id": name, "name": name} for name in classes], "splits": splits,
    }  # fmt: skip
    manifest["files"] = digests(folder, [*(f"{name}.parquet" for name in splits), "mean.npy"])
    (folder / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}))
    return PreparedSet.open(folder)


def caltech(
    folder: Path, sizes: Sequence[int] = (12, 9, 10, 14, 8), classes: Sequence[str] = CLASSES
) -> PreparedSet:
    """A set of one split, `all`, with so many images of each class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.stack([grating(label, rng) for label in labels])
    paths = [f"{classes[label]}/image_{i:04}.jpg" for i, label in enumerate(labels)]
    return write_manifest(
        folder, classes, {"all": write_split(folder, "all", images, labels, paths)}
    )


def voc(folder: Path, images: int = 40) -> PreparedSet:
    """Splits `train` and `val`; each image has one or two classes, some as difficult objects."""
    rng = np.random.default_rng(1)
    splits, objects = {}, []
    for split in ("train", "val"):
        shown = np.full((images, len(OBJECTS)), -1, np.int8)
        first = np.arange(images) % len(OBJECTS)
        shown[np.arange(images), (first + 1) % len(OBJECTS)] = rng.choice([-1, 0, 1], images)
        shown[np.arange(images), first] = 1
        pictures = np.stack([
            np.mean([grating(k, rng) for k in np.flatnonzero(row >= 0)], axis=0) for row in shown
        ])  # fmt: skip
        paths = [f"JPEGImages/2008_{len(objects) * 1000 + i:06}.jpg" for i in range(images)]
        splits[split] = write_split(folder, split, pictures, first, paths)
        columns = {"split": split, "image": np.arange(images), "path": paths}
        objects.append(pd.DataFrame(columns | dict(zip(OBJECTS, shown.T, strict=True))))
    pd.concat(objects).to_parquet(folder / "objects.parquet", index=False)
    return write_manifest(folder, OBJECTS, splits)


def network(cfg: dict[str, Any], mean: Any, classes: int = 20) -> Trained:
    """A network of the configuration as it was before training."""
    import torch

    net = build(**cfg["model"], classes=classes, crop=cfg["crop"], seed=0)
    names = [(f"n{i:08}", f"class {i}") for i in range(classes)]
    return Trained(net.eval(), torch.from_numpy(mean), SIZE, cfg["crop"], names, "bilinear")


def write_run(folder: Path, cfg: dict[str, Any], trained: Trained) -> None:
    """What a stage reads of a finished training."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(config.to_yaml(cfg))
    (folder / "run.json").write_text(json.dumps({"fingerprint": "0123456789abcdef"}))
    save(trained, folder / "weights.pt")
