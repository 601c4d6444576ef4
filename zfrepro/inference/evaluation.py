"""Predictions of a trained network on prepared images: one centre crop, and the average over ten.

Both come from one pass, since the centre is one of the ten crops (table 2's protocol). The train
error of table 3, for which the paper gives no protocol, is measured in the same way, without
dropout, on a fixed random subset of the training images, as large as the validation set.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from zfrepro.data.store import PreparedSet, Split
from zfrepro.inference import predictions
from zfrepro.training.trained import Trained, view_probabilities, views

Ints = npt.NDArray[np.int64]

SUBSET_SEED = 0  # the same training images for every network
VIEWS = ("centre", "ten")


class UnfitError(ValueError):
    """A network and images that do not go together."""


def splits(prepared: PreparedSet) -> Iterator[tuple[Split, Ints]]:
    """What to evaluate on: all of every split but the training images, and a subset of those."""
    held_out = [prepared.split(name) for name in prepared.manifest["splits"] if name != "train"]
    for split in held_out:
        yield split, np.arange(len(split))
    train = prepared.split("train")
    yield train, subset(len(train), min(len(train), len(prepared.split("val"))))


def subset(images: int, size: int) -> Ints:
    """`size` of the numbers 0 to `images` - 1, in order; the same at every call."""
    drawn = np.random.default_rng(SUBSET_SEED).choice(images, size, replace=False)
    return np.sort(drawn)


def check_fit(trained: Trained, prepared: PreparedSet) -> None:
    """Raises UnfitError where the images are of another size, or of other classes."""
    if trained.image_size != prepared.image_size:
        raise UnfitError(
            f"the network was trained on images of {trained.image_size} pixels, and those in "
            f"{prepared.folder} have {prepared.image_size}"
        )
    theirs, ours = ([identity for identity, _ in c] for c in (prepared.classes, trained.classes))
    if theirs != ours:
        raise UnfitError(
            f"the network knows {len(ours)} classes ({', '.join(ours[:3])} ...), and the images in "
            f"{prepared.folder} are of {len(theirs)} others ({', '.join(theirs[:3])} ...)"
        )


def evaluate(
    trained: Trained,
    split: Split,
    indices: Ints,
    files: dict[str, Path],
    *,
    batch: int = 64,
    progress: str | None = None,
) -> None:
    """Writes the predictions on the images `indices` of `split`.

    Args:
        files: the file for each of the views wanted, "centre" and "ten".
        progress: what the bar says; without it there is none.
    """
    wanted = views("ten" if "ten" in files else "centre", trained.image_size, trained.crop)
    centre = (trained.image_size - trained.crop) // 2
    middle = (wanted.tops == centre) & (wanted.lefts == centre) & ~wanted.flips
    takes = {"ten": np.ones(len(middle), dtype=bool), "centre": middle}
    paths, classes = split.paths_of(indices), len(trained.classes)
    with ExitStack() as stack:
        writers = {
            view: stack.enter_context(predictions.writer(path, classes))
            for view, path in files.items()
        }
        starts = range(0, len(indices), batch)
        for start in tqdm(starts, desc=progress, unit="batch", disable=None if progress else True):
            rows = indices[start : start + batch]
            scores = view_probabilities(trained, split.read(rows), wanted)
            for view, out in writers.items():
                mean = scores[torch.from_numpy(takes[view])].mean(0).cpu().numpy()
                out.add(paths[start : start + batch], split.labels[rows], mean)
