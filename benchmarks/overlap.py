"""Images shared by 20,000 and 5,000 others: time, memory, and what 1.3 million x 51,000 would take.

    python -m benchmarks.overlap

The comparison of all pairs against the machine's own product of matrices of that size, and against
a plain loop over pairs, in the same run. The images are noise with a photograph's 1/f spectrum, a
hundred of them in both sets. Writes benchmarks/results/overlap.json.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zfrepro import config
from zfrepro.cores import cores
from zfrepro.data.listing import ArrayListing, Source
from zfrepro.data.overlap import BLOCK, READ, Rule, aligned, collect, greys, shared, vectors
from zfrepro.data.prepare import prepare
from zfrepro.data.store import PreparedSet
from zfrepro.files import write_json
from zfrepro.workers import worker_processes

SOURCES, OTHERS, SHARED = 20_000, 5_000, 100
SIZE, FULL_SIZE, FULL_IMAGES = 64, 256, 512
PAPER_SOURCES, PAPER_OTHERS = 1_281_167, 9_144 + 30_607 + 11_540
CANDIDATES = 1_000  # per million pairs, a guess: the miniature has 669, this noise none
LOOPED = 3_000  # pairs of the plain loop
TURNS = 3
RULE = Rule(**config.compose_analysis()["overlap"])
RESULT = Path(__file__).parent / "results" / "overlap.json"

Pixels = npt.NDArray[np.uint8]


def pictures(seed: int, count: int, size: int) -> Pixels:
    """(count, size, size, 3): grey 1/f noise with a tint."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = np.inf
    images = np.empty((count, size, size, 3), dtype=np.uint8)
    for image in images:
        phases = np.exp(2j * np.pi * rng.random(frequency.shape))
        field = np.fft.irfft2(phases / frequency, s=(size, size))
        levels = 128 + 45 * (field / field.std())[:, :, None] + rng.normal(0, 20, 3)
        image[:] = levels.clip(0, 255)
    return images


def prepared(images: Pixels, folder: Path) -> PreparedSet:
    labels = np.zeros(len(images), dtype=np.int64)
    listing = ArrayListing([str(i) for i in range(len(images))], labels, images)
    prepare(
        Source("noise", (("0", "noise"),), {"all": listing}), folder, image_size=images.shape[1],
        filter="bilinear", storage="uint8", jpeg_quality=90, workers=1, progress=False,
    )  # fmt: skip
    return PreparedSet.open(folder)


def whole(folder: Path) -> dict[str, float]:
    """The stage's work on two prepared sets, in a process of its own: so its memory is known."""
    started = time.perf_counter()
    paths = {
        name: collect(PreparedSet.open(folder / name), "all", folder / f"{name}-greys",
                      workers=cores(), progress=False)
        for name in ("sources", "others")
    }  # fmt: skip
    collected = time.perf_counter()
    others = np.concatenate([np.load(path) for path in paths["others"]])
    found = shared((np.load(path) for path in paths["sources"]), others, RULE)
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "thumbnails": collected - started,
        "comparison": ended - collected,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "shared": len(found.sources),
    }


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def products(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> None:
    """The bare products of all pairs, a block at a time."""
    for start in range(0, len(left), BLOCK):
        for first in range(0, len(right), BLOCK):
            left[start : start + BLOCK] @ right[first : first + BLOCK].T


def loop(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> float:
    """Seconds of a pair in a plain loop."""
    pairs = [(i, i % len(right)) for i in range(LOOPED)]
    took = seconds(
        lambda: [np.corrcoef(left[i].ravel(), right[j].ravel())[0, 1] > 0.8 for i, j in pairs]
    )
    return took / LOOPED


def rates(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Medians over turns: seconds of all pairs, of the bare products, of one alignment."""
    vectored = vectors(left, RULE.side), vectors(right, RULE.side)
    blocks = [left[i : i + BLOCK] for i in range(0, len(left), BLOCK)]
    none = Rule(RULE.side, candidate=1.1, threshold=1.1)  # the search alone
    taken: dict[str, list[float]] = {"search": [], "products": [], "alignment": []}
    for _ in range(TURNS):
        taken["search"].append(seconds(lambda: shared(blocks, right, none)))
        taken["products"].append(seconds(lambda: products(*vectored)))
        pairs = left[:2048], right[:2048]
        taken["alignment"].append(seconds(lambda p=pairs: aligned(*p, RULE.side)) / 2048)
    return {name: statistics.median(each) for name, each in taken.items()}


def reading() -> float:
    """Seconds of one thumbnail of a stored image of the paper's size, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        split = prepared(pictures(2, FULL_IMAGES, FULL_SIZE), Path(folder)).split("all")
        numbers = np.arange(FULL_IMAGES).reshape(-1, READ)
        return seconds(lambda: [greys(split.read(part)) for part in numbers]) / FULL_IMAGES


def main() -> None:
    left, right = pictures(0, SOURCES, SIZE), pictures(1, OTHERS, SIZE)
    right[:SHARED] = left[:: SOURCES // SHARED]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, images in (("sources", left), ("others", right)):
            prepared(images, folder / side)
        with worker_processes(1) as pool:
            measured = pool.submit(whole, folder).result()
    if measured["shared"] != SHARED:
        raise AssertionError(f"{measured['shared']} shared images found, {SHARED} planted")
    small = [
        np.concatenate([greys(images[i : i + READ]) for i in range(0, len(images), READ)])
        for images in (left, right)
    ]
    taken = rates(small[0], small[1])
    pairs = SOURCES * OTHERS
    paper_pairs = PAPER_SOURCES * PAPER_OTHERS
    estimate = {
        "thumbnails, hours": (PAPER_SOURCES + PAPER_OTHERS) * reading() / cores() / 3600,
        "products, hours": taken["search"] * paper_pairs / pairs / 3600,
        f"alignment of {CANDIDATES} candidates per million pairs, hours": 1e-6
        * CANDIDATES
        * paper_pairs
        * taken["alignment"]
        / 3600,
    }
    result = {
        "whole": measured,
        "search / products": taken["search"] / taken["products"],
        "loop / search": loop(small[0], small[1]) * pairs / taken["search"],
        "seconds": taken,
        "1.28 million x 51 thousand": estimate,
    }
    print(
        f"{SOURCES:,} x {OTHERS:,} images: {measured['seconds']:.1f} s (at most 60), of which "
        f"thumbnails {measured['thumbnails']:.1f}, comparison {measured['comparison']:.1f}; peak "
        f"{measured['peak MiB']:.0f} MiB\n"
        f"search of all pairs / bare products: {result['search / products']:.2f} (at most 2)\n"
        f"plain loop / search: {result['loop / search']:.0f}\n"
        f"alignment of a candidate: {1e6 * taken['alignment']:.0f} us\n"
        f"{PAPER_SOURCES:,} x {PAPER_OTHERS:,} images on {cores()} cores, hours: {estimate}"
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
