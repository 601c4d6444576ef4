"""Memory of the pass that finds every map's strongest images, over few images and over many.

    python -m benchmarks.memory

One process for each number of images, in which the quarter-width ZFNet looks at crops of 56 pixels
that are drawn as they are asked for; its peak of resident memory. Writes
benchmarks/results/memory.json.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfrepro import config
from zfrepro.files import write_json
from zfrepro.interp.chain import Chain
from zfrepro.interp.top_activations import Ints, collect
from zfrepro.models.convnet import build
from zfrepro.models.memory import keep_freed_memory

FEW, MANY, CROP, CLASSES = 1_000, 20_000, 56, 20
RESULT = Path(__file__).parent / "results" / "memory.json"


def crops(numbers: Ints) -> Tensor:
    """The network's input for images of these numbers (B,)."""
    pixels = np.random.default_rng(int(numbers[0])).normal(0, 60, (len(numbers), 3, CROP, CROP))
    return torch.from_numpy(pixels).float()


def peak(images: int) -> float:
    """Megabytes, of this process, when it has looked at so many images."""
    keep_freed_memory()
    model = config.compose(["+experiment=tab3_zfnet", "profile=miniature"])["model"]
    chain = Chain(build(**model, classes=CLASSES, crop=CROP).eval())
    with tempfile.TemporaryDirectory() as folder:
        collect(chain, chain.layers, images, crops, Path(folder))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_its_own_process(images: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak, (images,))


def main() -> None:
    few, many = in_its_own_process(FEW), in_its_own_process(MANY)
    result = {
        "megabytes": {f"{FEW:,} images": few, f"{MANY:,} images": many},
        f"{MANY:,} / {FEW:,} images": many / few,
    }
    print(
        f"peak memory over {FEW:,} images {few:.0f} MB, over {MANY:,} images {many:.0f} MB: "
        f"{many / few:.2f} times"
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
