"""Training batches of 64 crops of 224: images a second.

    python -m benchmarks.loading

The store, as `zfrepro.train` reads it (random crops of 224 from 256, uint8), and the same with the
flips and the mean subtraction that make it the network's input, in this process; against the same
crops copied from an array in memory, the limit; and against
torchvision's `ImageFolder` with two worker processes, which decode photographs of ImageNet's
usual size (500x375, about 110 KB) with the transforms of torchvision's training reference. They
take turns, so a busy machine slows all of them alike: read the ratios. All files are in the page
cache, but for a last comparison of reading from the disk. Writes benchmarks/results/loading.json.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from zfrepro.data import crops
from zfrepro.data.module import PreparedData
from zfrepro.data.prepare import prepare
from zfrepro.data.sources.folder import read_folder
from zfrepro.data.store import PreparedSet, _Array
from zfrepro.files import write_json
from zfrepro.models.memory import keep_freed_memory

CROP, SIZE, BATCH, WORKERS = 224, 256, 64, 2
CLASSES, KILOBYTES = 4, 110
COLD = 8192  # images of the array that is read from the disk, 1.6 GB
RESULT = Path(__file__).parent / "results" / "loading.json"

Epoch = Callable[[], Iterator[torch.Tensor]]


def photographs(folder: Path, count: int) -> float:
    """Writes `count` JPEGs of 500x375 in class folders; returns their mean size in KB."""
    wholes = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    rng = np.random.default_rng(0)
    sizes = []
    for i in range(count):
        whole = Image.fromarray(wholes[i % len(wholes)])
        left, top = rng.uniform(0, 0.3, 2) * whole.size
        box = (left, top, left + 0.7 * whole.width, top + 0.7 * whole.height)
        image = whole.resize((500, 375), Image.Resampling.BICUBIC, box)
        noise = rng.normal(0, 9, (375, 500, 1))  # of a sensor
        pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        path = folder / f"class{i % CLASSES}" / f"{i:05d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_jpeg(Image.fromarray(pixels), KILOBYTES))
        sizes.append(path.stat().st_size / 1000)
    return statistics.mean(sizes)


def _jpeg(image: Image.Image, kilobytes: int) -> bytes:
    """The best quality that stays within the size."""
    for quality in range(95, 40, -3):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= kilobytes * 1000:
            break
    return buffer.getvalue()


def image_folder(folder: Path) -> Epoch:
    """As torchvision's reference reads its training images."""
    pipeline = transforms.Compose(
        [
            transforms.RandomResizedCrop(CROP),
            transforms.RandomHorizontalFlip(),
            transforms.PILToTensor(),
            transforms.ConvertImageDtype(torch.float32),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader = DataLoader(
        datasets.ImageFolder(folder, pipeline), BATCH, shuffle=True, drop_last=True,
        num_workers=WORKERS, persistent_workers=True,
    )  # fmt: skip
    return lambda: (images for images, _ in loader)


def store(prepared: PreparedSet) -> Epoch:
    """As training reads its batches."""
    loader = PreparedData(
        prepared, crop=CROP, batch=BATCH, policy="random", seed=0, workers=0
    ).train_dataloader()
    return lambda: (batch.images for batch in loader)


def store_to_input(prepared: PreparedSet) -> Epoch:
    """The same, up to the float32 that enters the network."""
    loader = PreparedData(
        prepared, crop=CROP, batch=BATCH, policy="random", seed=0, workers=0
    ).train_dataloader()
    mean = torch.from_numpy(prepared.mean)

    def epoch() -> Iterator[torch.Tensor]:
        keep_freed_memory()  # as training does; the other side's workers have begun without
        for batch in loader:
            yield crops.subtract_mean(batch.images, mean, batch.tops, batch.lefts, batch.flips)

    return epoch


def copies(prepared: PreparedSet) -> Epoch:
    """The limit: the same crops of an array in memory, copied one by one."""
    split = prepared.split("train")
    pixels = split.read(np.arange(len(split)))
    rng = np.random.default_rng(0)

    def epoch() -> Iterator[torch.Tensor]:
        order = rng.permutation(len(pixels))[: len(pixels) // BATCH * BATCH]
        for rows in order.reshape(-1, BATCH).tolist():
            tops, lefts = rng.integers(0, SIZE - CROP + 1, (2, BATCH)).tolist()
            batch = np.empty((BATCH, CROP, CROP, 3), np.uint8)
            for out, row, top, left in zip(batch, rows, tops, lefts, strict=True):
                out[:] = pixels[row, top : top + CROP, left : left + CROP]
            yield torch.from_numpy(batch)

    return epoch


def cold(path: Path, rounds: int) -> dict[str, float]:
    """Random crops from an eighth of an array's images that are not in memory, in batches.

    As the memory map alone fetches them, and announced. Medians over rounds of images a second, and
    of bytes from the disk by the bytes of a crop.
    """
    noise = np.random.default_rng(0).integers(256, size=(BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    shape = (COLD, SIZE, SIZE, 3)
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for start in range(0, COLD, BATCH):
        pixels[start : start + BATCH] = noise
    del pixels  # what is mapped stays in memory
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float]]] = {"map": [], "announced": []}
    for _, name in itertools.product(range(rounds), found):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)  # and what is not on the disk yet
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        array = cast("Any", _Array(path, np.zeros(COLD, np.int64), {"image_size": SIZE}))
        array._unread = bytearray(COLD)  # as after a first epoch of an array that outgrows memory
        array.__dict__["_outgrows_memory"] = name == "announced"
        order = rng.permutation(COLD)[: COLD // 8]
        before, started = _read_bytes(), time.perf_counter()
        for rows in np.split(order, range(BATCH, len(order), BATCH)):
            batch = np.empty((len(rows), CROP, CROP, 3), np.uint8)
            tops, lefts = rng.integers(0, SIZE - CROP + 1, (2, len(rows))).tolist()
            array.announce(rows.tolist(), tops, CROP)
            for out, row, top, left in zip(batch, rows.tolist(), tops, lefts, strict=True):
                out[:] = array.image(row)[top : top + CROP, left : left + CROP]
        seconds, fetched = time.perf_counter() - started, _read_bytes() - before
        found[name].append((len(order) / seconds, fetched / (len(order) * 3 * CROP**2)))
        del array
    speed, share = (
        {name: statistics.median(row[k] for row in rows) for name, rows in found.items()}
        for k in range(2)
    )
    print(f"cold: {speed['announced'] / speed['map']:.1f} times the map's images/s")
    print(f"bytes read by those of a crop: {share['announced']:.2f}, by the map {share['map']:.2f}")
    return {
        "cold, images_per_second": speed["announced"],
        "cold, announced / map": speed["announced"] / speed["map"],
        "cold, bytes read / bytes of a crop": share["announced"],
        "cold, the same by the map": share["map"],
    }


def _read_bytes() -> int:
    """That this process has had from disks."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


def images_per_second(epoch: Epoch, seconds: float) -> float:
    """Over whole epochs for at least `seconds`, without the first batch, which starts workers."""
    batches = itertools.chain.from_iterable(epoch() for _ in itertools.count())
    next(batches)
    images, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        images += len(next(batches))
    return images / elapsed


def compare(epochs: dict[str, Epoch], rounds: int, seconds: float) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(rounds):
        for name, epoch in epochs.items():
            measured[name].append(images_per_second(epoch, seconds))
            print(f"round {number + 1}: {name:32} {measured[name][-1]:10.0f} images/s", flush=True)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each in a round")
    arguments = parser.parse_args()
    torch.set_num_threads(WORKERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kilobytes = photographs(folder / "photos", arguments.images)
        print(f"{arguments.images} JPEGs of 500x375, {kilobytes:.0f} KB each", flush=True)
        source = read_folder(folder / "photos", val_share=0.01, split_seed=0)
        started = time.perf_counter()
        prepare(
            source, folder / "prepared", image_size=SIZE, filter="bilinear", storage="uint8",
            jpeg_quality=90, workers=WORKERS,
        )  # fmt: skip
        preparing = arguments.images / (time.perf_counter() - started)
        prepared = PreparedSet.open(folder / "prepared")
        epochs = {
            "ImageFolder, 2 workers": image_folder(folder / "photos"),
            "copies in memory": copies(prepared),
            "store": store(prepared),
            "store, mean subtracted": store_to_input(prepared),
        }
        measured = compare(epochs, arguments.rounds, arguments.seconds)
        from_disk = cold(folder / "cold.npy", arguments.rounds)
    report(
        measured, {"preparing, images_per_second": preparing, "kilobytes": kilobytes} | from_disk
    )


def report(measured: dict[str, list[float]], circumstances: dict[str, float]) -> None:
    """Prints the ratios to the first of `measured`, and of the store to the second, its limit; and
    writes the result.
    """
    rates = {name: statistics.median(values) for name, values in measured.items()}
    baseline, limit, *ours = rates
    ratios = {f"{name} / {baseline}": rates[name] / rates[baseline] for name in ours}
    ratios[f"store / {limit}"] = rates["store"] / rates[limit]
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}")
    RESULT.parent.mkdir(exist_ok=True)
    write_json(RESULT, {"images_per_second": rates, **ratios, "rounds": measured, **circumstances})


if __name__ == "__main__":
    main()
