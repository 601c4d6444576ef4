"""Memory of what goes over all images of a set, over few and over many.

    python -m benchmarks.memory

One process for each number of images. The pass that finds every map's strongest images: the
quarter-width ZFNet looks at crops of 56 pixels that are drawn as they are asked for; its peak of
resident memory. Training's loader: the first batches of 128 crops of 224, in random order, from
prepared sets of 256 pixels whose arrays are sparse files of zeros; the peak of memory that is the
process's own, without the pages of the file, which the system takes back as it needs them. Writes
benchmarks/results/memory.json.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from zfrepro import config
from zfrepro.data.module import PreparedData
from zfrepro.data.store import PreparedSet, seal
from zfrepro.files import digests, write_json
from zfrepro.interp.chain import Chain
from zfrepro.interp.top_activations import Ints, collect
from zfrepro.models.convnet import build
from zfrepro.models.memory import keep_freed_memory

FEW, MANY, CROP, CLASSES = 1_000, 20_000, 56, 20
STORED, SIZE, BATCHES = (10_000, 1_000_000), 256, 75  # of the loader: sets, pixels, batches
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


def sparse_set(folder: Path, images: int) -> PreparedSet:
    """A prepared set of black images, whose array takes no room on the disk."""
    dark = zlib.crc32(bytes(SIZE * SIZE * 3))
    with (folder / "train.npy").open("wb") as file:
        shape = {"descr": "|u1", "fortran_order": False, "shape": (images, SIZE, SIZE, 3)}
        np.lib.format.write_array_header_1_0(file, shape)
        file.truncate(file.tell() + images * SIZE * SIZE * 3)
    numbers = np.arange(images)
    index = {
        "path": [f"{number}.JPEG" for number in numbers], "label": numbers % 1000,
        "reason": pa.nulls(images, pa.string()), "crc": np.full(images, dark, np.int64),
    }  # fmt: skip
    pq.write_table(pa.table(index), folder / "train.parquet")
    manifest = {
        "image_size": SIZE, "storage": "uint8", "splits": {"train": {"images": images}},
        "classes": [{"id": str(number), "name": str(number)} for number in range(1000)],
        "files": digests(folder, ["train.parquet"]), "fingerprint": "sparse",
    }  # fmt: skip
    write_json(folder / "manifest.json", {**manifest, "seal": seal(manifest)})
    return PreparedSet.open(folder)


def loader_peak(images: int) -> float:
    """Megabytes of this process's own, while it loads training batches of so many images."""
    with tempfile.TemporaryDirectory() as folder:
        data = PreparedData(
            sparse_set(Path(folder), images), crop=224, batch=128, policy="random", seed=0,
            workers=0,
        )  # fmt: skip
        found = 0.0
        for _ in islice(data.train_dataloader(), BATCHES):
            status = Path("/proc/self/status").read_text()
            found = max(found, float(status.partition("RssAnon:")[2].split()[0]) / 1024)
    return found


def in_its_own_process(measure: Callable[[int], float], images: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (images,))


def main() -> None:
    result: dict[str, object] = {}
    for what, measure, sizes in (
        ("strongest images", peak, (FEW, MANY)), ("training's loader", loader_peak, STORED),
    ):  # fmt: skip
        few, many = (in_its_own_process(measure, size) for size in sizes)
        names = [f"{size:,}" for size in sizes]
        result[f"{what}, megabytes"] = dict(zip(names, (few, many), strict=True))
        result[f"{what}: {names[1]} / {names[0]} images"] = many / few
        print(
            f"{what}: peak memory over {names[0]} images {few:.0f} MB, over {names[1]} images "
            f"{many:.0f} MB: {many / few:.2f} times"
        )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
