"""The miniature world: rendered where it is missing, then read as ImageNet is."""

from pathlib import Path

from zfrepro.data import miniature
from zfrepro.data.listing import Source, SourceError
from zfrepro.data.sources.imagenet import read_imagenet


def read_miniature(
    root: str | Path | None,
    *,
    seed: int,
    classes: int,
    train_images: int,
    val_images: int,
    image_size: int,
    workers: int,
) -> Source:
    """The rendered world below `root`, in ImageNet's layout, with its ground truth.

    Raises:
        SourceError: no root is set.
    """
    if root is None:
        raise SourceError("data.root is not set: name the folder that the miniature is rendered to")
    miniature.render(
        Path(root),
        seed=seed,
        classes=classes,
        train_images=train_images,
        val_images=val_images,
        image_size=image_size,
        workers=workers,
    )
    return read_imagenet(root, name="miniature")
