"""Features of the full-width ZFNet at 224: images a second, and what table 7 holds in memory.

    python -m benchmarks.features

The extraction, reading and writing included, against a plain forward pass over images in memory, in
turns. Then table 7's largest problem by itself, in a process of its own: a linear SVM on 290,400
numbers an image, 3,060 training images of 102 classes (the features are random; their time and
memory are not). Writes benchmarks/results/features.json.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zfrepro import config
from zfrepro.data.crops import centre_crop
from zfrepro.files import write_json
from zfrepro.models.convnet import build
from zfrepro.models.memory import keep_freed_memory
from zfrepro.training.trained import Trained, view_probabilities
from zfrepro.transfer import probe
from zfrepro.transfer.features import BATCH, extract
from zfrepro.transfer.protocol import Fold, Labels

IMAGES, SIZE, CROP, TURNS = 256, 256, 224, 3
CLASSES, TRAIN, TESTED, NUMBERS = 102, 30, 10, 290_400
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc7")
RESULT = Path(__file__).parent / "results" / "features.json"


class Images:
    """Random images; the interface of `store.Split` as far as an extraction goes."""

    name = "all"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.pixels = rng.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return IMAGES

    def read(self, rows: Any, crop: int = SIZE) -> Any:
        start = (SIZE - crop) // 2
        return self.pixels[rows, start : start + crop, start : start + crop]


def network() -> Trained:
    spec = config.compose(["+experiment=tab3_zfnet", "profile=paper"])["model"]
    net = build(**spec, classes=1000, crop=CROP).eval().to(memory_format=torch.channels_last)
    mean = torch.full((SIZE, SIZE, 3), 127.0)
    return Trained(net, mean, SIZE, CROP, [("", "")] * 1000, "bilinear", "bf16-mixed")


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def extraction() -> dict[str, float]:
    """Images a second of a forward pass, and of extracting one layer and all six."""
    trained, images, view = network(), Images(), centre_crop(SIZE, CROP)
    batches = [images.pixels[i : i + BATCH] for i in range(0, IMAGES, BATCH)]
    rates: dict[str, list[float]] = {"forward": [], "fc7": [], "six layers": []}

    def extracted(layers: tuple[str, ...]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            extract(trained, images, layers, Path(folder))  # type: ignore[arg-type]

    tasks: dict[str, Callable[[], object]] = {
        "forward": lambda: [view_probabilities(trained, batch, view) for batch in batches],
        "fc7": lambda: extracted(("fc7",)),
        "six layers": lambda: extracted(LAYERS),
    }
    tasks["forward"]()
    for _ in range(TURNS):
        for name, task in tasks.items():
            rates[name].append(IMAGES / seconds(task))
    return {name: statistics.median(each) for name, each in rates.items()}


def write_features(path: Path) -> None:
    """Random features after a ReLU, written image by image."""
    rng = np.random.default_rng(0)
    shape = (CLASSES * (TRAIN + TESTED), NUMBERS)
    with path.open("wb") as file:
        layout = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, layout)
        for _ in range(shape[0]):
            file.write(rng.standard_normal(NUMBERS, dtype=np.float32).clip(0).data)


def largest(path: Path) -> dict[str, float]:
    """Minutes and the most memory of one fold of table 7 on the features in `path`."""
    of_images = np.repeat(np.arange(CLASSES), TRAIN + TESTED)
    places = np.arange(len(of_images)).reshape(CLASSES, -1)
    fold = Fold(0, 0, TRAIN, places[:, :TRAIN].ravel(), places[:, TRAIN:].ravel())
    labels = Labels(tuple(map(str, range(CLASSES))), of_images)
    before = most_memory()
    took = seconds(lambda: probe.accuracy(path, fold, labels, "svm", (0.1, 1.0, 10.0)))
    return {"minutes": took / 60, "GB at most": most_memory(), "GB before": before}


def most_memory() -> float:
    """The most that this program had resident, mapped files included, in GB (10^9 bytes).

    `ru_maxrss` would do but that a child starts with its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e9  # type: ignore[index]


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(largest(Path(sys.argv[1]))))
        return
    keep_freed_memory()
    passed = extraction()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "conv1.npy"
        write_features(path)
        command = [sys.executable, "-m", "benchmarks.features", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    memory = json.loads(done.stdout)
    result = {
        "images a second": passed,
        "fc7 / forward": passed["fc7"] / passed["forward"],
        "six layers / forward": passed["six layers"] / passed["forward"],
        "layer 1 of table 7, one fold": memory,
    }
    print(
        f"images a second: forward {passed['forward']:.0f}, fc7 {passed['fc7']:.0f}: "
        f"{result['fc7 / forward']:.2f} (at least 0.8); six layers {passed['six layers']:.0f}: "
        f"{result['six layers / forward']:.2f}\n"
        f"layer 1, 3,060 images of 290,400 numbers: {memory['GB at most']:.2f} GB (at most 2), "
        f"{memory['minutes']:.1f} minutes"
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
