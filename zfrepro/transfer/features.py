"""What the layers of a trained net make of every image of a set, as arrays on disk.

The feature of a layer is what the layer above it sees: after ReLU, pooling and normalisation, and
without dropout; of a network with branches it is the output of the module that is named. Of ZFNet's
five convolutions these are 290,400, 43,264, 64,896, 64,896 and 9,216 numbers an image, and 4,096 of
layers 6 and 7.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from zfrepro.files import DamagedError, check, digests, write_json
from zfrepro.interp.chain import Chain
from zfrepro.interp.graph import Graph

log = logging.getLogger(__name__)

BATCH = 64
SEES = ("conv", "fc", "flatten")  # what begins the layer above

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def end(chain: Chain, layer: str) -> int:
    """How many steps make the feature of `layer`.

    Raises:
        ChainError: no such layer; names those that exist.
    """
    place = chain.end(layer)
    while place < len(chain.steps) and chain.steps[place].kind not in SEES:
        place += 1
    return place


def extract(
    chain: Chain | Graph,
    layers: Sequence[str],
    images: int,
    read: Callable[[Ints], Tensor],
    folder: Path,
    *,
    precision: str = "32-true",
    batch: int = BATCH,
    progress: str | None = None,
) -> dict[str, Path]:
    """The features of each layer, float32 (N, numbers), of one centre crop an image.

    They are in `folder`/<layer>.npy, which appears once all is written. What a killed extraction
    has written of it is kept: it goes on with the next batch. Writing is a batch behind the net.

    Args:
        images: how many there are, N.
        read: the network's input (B, C, H, W) for the images of these numbers (B,).
        folder: of this network and these images alone.
        precision: that of the training.
        progress: what the bar says; without it there is none.

    Raises:
        ChainError: no such layer.
    """
    paths = {layer: folder / f"{layer}.npy" for layer in layers}
    wanted = [layer for layer in layers if not _is_whole(paths[layer])]
    if not wanted:
        return paths
    for layer in wanted:
        chain.field(layer)  # raises where there is none
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {
            layer: _Rows(stack.enter_context(_open(_part(paths[layer]))), images)
            for layer in wanted
        }
        start = min(file.written() for file in files.values()) // batch * batch
        for file in files.values():
            file.go_on_after(start)
        bar = tqdm(
            total=images, initial=start, desc=progress, unit="image",
            disable=None if progress else True,
        )  # fmt: skip
        writer, writing = stack.enter_context(ThreadPoolExecutor(1)), None
        for first in range(start, images, batch):
            rows = np.arange(first, min(first + batch, images))
            outputs = _outputs(chain, wanted, read(rows), precision)
            if writing:
                writing.result()  # one batch at most waits in memory
            writing = writer.submit(_write, files, outputs)
            bar.update(len(rows))
        bar.close()
        if writing:
            writing.result()
        for file in files.values():
            file.finish()
    for layer in wanted:
        _part(paths[layer]).replace(paths[layer])
        write_json(_sums(paths[layer]), digests(folder, [paths[layer].name]))
    return paths


def _is_whole(path: Path) -> bool:
    """Whether a layer's features are there, as an earlier extraction has written them."""
    try:
        check(path.parent, json.loads(_sums(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return False
    except (DamagedError, ValueError, AttributeError, KeyError) as error:
        log.warning("%s: it is made anew", error)
        return False
    return True


def _sums(path: Path) -> Path:
    return path.with_suffix(".json")


@torch.inference_mode()
def _outputs(
    chain: Chain | Graph, layers: Sequence[str], x: Tensor, precision: str
) -> dict[str, Floats]:
    """The features of a batch, each (B, numbers)."""
    found: dict[str, Floats] = {}

    def take(layer: str, values: Tensor) -> None:
        # one copy: to single precision and from channels last; a graph may overwrite its own
        plain = values.to(
            torch.float32, memory_format=torch.contiguous_format, copy=isinstance(chain, Graph)
        )
        found[layer] = plain.flatten(1).cpu().numpy()

    with torch.autocast(x.device.type, torch.bfloat16, precision == "bf16-mixed"):
        if isinstance(chain, Graph):
            chain.visit(x, layers, take, ends=True)
            return found
        ends = {layer: end(chain, layer) for layer in layers}
        for i, step in enumerate(chain.steps[: max(ends.values())], start=1):
            x = step.run(x)
            for layer in (name for name, last in ends.items() if last == i):
                take(layer, x)
    return found


def _write(files: Mapping[str, _Rows], outputs: Mapping[str, Floats]) -> None:
    """The next batch of each layer, on the disk while the network goes on."""
    for layer, values in outputs.items():
        files[layer].add(values)


class _Rows:
    """An array of `images` rows that is written row by row, from where it was left."""

    def __init__(self, file: BinaryIO, images: int) -> None:
        self._file, self._images = file, images
        self._columns = 0  # known with the first row, or from the header
        self._header = 0

    def written(self) -> int:
        """How many whole rows there are."""
        size = self._file.seek(0, 2)
        self._file.seek(0)
        try:
            np.lib.format.read_magic(self._file)
            shape, _, _ = np.lib.format.read_array_header_1_0(self._file)
        except ValueError:  # empty, or killed within the header
            return 0
        self._header, self._columns = self._file.tell(), shape[1]
        return int(size - self._header) // (4 * self._columns)

    def go_on_after(self, rows: int) -> None:
        self._file.truncate(self._header + 4 * self._columns * rows if rows else 0)
        self._file.seek(0, 2)

    def add(self, values: Floats) -> None:
        if not self._file.tell():
            shape = (self._images, values.shape[1])
            layout = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, layout)
        self._file.write(np.ascontiguousarray(values, dtype="<f4").data)
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def finish(self) -> None:
        """Whole on the disk, before the file gets its name."""
        self._file.flush()
        os.fsync(self._file.fileno())


def _part(path: Path) -> Path:
    return path.with_suffix(".npy.part")


def _open(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b")
