"""Features of the full-width ZFNet at 224: images a second, and what table 7 holds in memory.

    python -m benchmarks.features

The extraction, reading and writing included, against a plain forward pass over images in memory, in
turns. Then table 7's two largest problems, each in a process of its own (the features are random;
their time and memory are not): the most numbers an image, 290,400 of layer 1, 3,060 images of 102
classes to train an SVM on; and the most images, 15,360 of 256 classes, for a softmax on 43,264
numbers of layer 5. Writes benchmarks/results/features.json.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zfrepro import config
from zfrepro.data.crops import centre_crop
from zfrepro.devices import device_of
from zfrepro.files import write_json
from zfrepro.interp.chain import Chain
from zfrepro.models.convnet import build
from zfrepro.models.memory import keep_freed_memory
from zfrepro.training.trained import Trained, centred, view_probabilities
from zfrepro.transfer import probe
from zfrepro.transfer.features import BATCH, extract
from zfrepro.transfer.protocol import Fold, Labels

IMAGES, SIZE, CROP, TURNS = 256, 256, 224, 3
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc7")
RESULT = Path(__file__).parent / "results" / "features.json"


@dataclass(frozen=True)
class Problem:
    """A fold of table 7: images per class to train on and to test, and the numbers of each."""

    classes: int
    train: int
    tested: int
    numbers: int
    classifier: str
    strengths: tuple[float, ...]  # a third as many fits, of the same memory, where there is one


PROBLEMS = {
    "Caltech-101, layer 1": Problem(102, 30, 10, 290_400, "svm", (0.1, 1.0, 10.0)),
    "Caltech-256, layer 5": Problem(256, 60, 25, 43_264, "softmax", (100.0,)),
}


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
            extract(
                Chain(trained.net), layers, IMAGES,
                lambda rows: centred(trained, images.read(rows, CROP)),
                Path(folder), precision=trained.precision,
            )  # fmt: skip

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


def write_features(path: Path, problem: Problem) -> None:
    """Random features after a ReLU, written image by image."""
    rng = np.random.default_rng(0)
    shape = (problem.classes * (problem.train + problem.tested), problem.numbers)
    with path.open("wb") as file:
        layout = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, layout)
        for _ in range(shape[0]):
            file.write(rng.standard_normal(problem.numbers, dtype=np.float32).clip(0).data)


def solved(path: Path, problem: Problem) -> dict[str, float]:
    """Minutes and the most memory of the problem, whose features are in `path`."""
    of_images = np.repeat(np.arange(problem.classes), problem.train + problem.tested)
    places = np.arange(len(of_images)).reshape(problem.classes, -1)
    train, test = places[:, : problem.train].ravel(), places[:, problem.train :].ravel()
    fold = Fold(0, 0, problem.train, train, test)
    labels = Labels(tuple(map(str, range(problem.classes))), of_images)
    before = most_memory()
    kind, strengths, device = problem.classifier, problem.strengths, device_of("auto")
    took = seconds(lambda: probe.accuracy(path, fold, labels, kind, strengths, device))
    return {"minutes": took / 60, "GB at most": most_memory(), "GB before": before}


def most_memory() -> float:
    """The most that this program had resident, mapped files included, in GB (10^9 bytes).

    `ru_maxrss` would do but that a child starts with its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e9  # type: ignore[index]


def measured(name: str) -> dict[str, float]:
    """`solved` in another process, so that nothing but the problem is in its memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "features.npy"
        write_features(path, PROBLEMS[name])
        command = [sys.executable, "-m", "benchmarks.features", name, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    keep_freed_memory()  # as the stages do
    if len(sys.argv) > 1:
        print(json.dumps(solved(Path(sys.argv[2]), PROBLEMS[sys.argv[1]])))
        return
    passed = extraction()
    ratios = {name: passed[name] / passed["forward"] for name in ("fc7", "six layers")}
    print(
        f"images a second: forward {passed['forward']:.0f}, fc7 {passed['fc7']:.0f}: "
        f"{ratios['fc7']:.2f} (at least 0.8); six layers {passed['six layers']:.0f}: "
        f"{ratios['six layers']:.2f}"
    )
    table7 = {}
    for name, problem in PROBLEMS.items():
        table7[name] = found = measured(name)
        print(
            f"{name}, {problem.classes * problem.train:,} images of {problem.numbers:,} numbers, "
            f"{problem.classifier}: {found['GB at most']:.2f} GB (at most 2), "
            f"{found['minutes']:.1f} minutes"
        )
    of_forward = {f"{name} / forward": ratio for name, ratio in ratios.items()}
    write_json(RESULT, {"images a second": passed, **of_forward, "table 7, one fold": table7})


if __name__ == "__main__":
    main()
