"""The miniature world and its transfer sets: rendered where missing, then read as the real ones."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from zfrepro.data import miniature
from zfrepro.data.listing import Source, SourceError
from zfrepro.data.miniature import caltech, voc
from zfrepro.data.miniature.tree import render_tree
from zfrepro.data.miniature.writer import World
from zfrepro.data.sources.caltech import read_classes
from zfrepro.data.sources.imagenet import read_imagenet
from zfrepro.data.sources.voc import read_devkit


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
    miniature.render(
        _existing(root),
        seed=seed,
        classes=classes,
        train_images=train_images,
        val_images=val_images,
        image_size=image_size,
        workers=workers,
    )
    return read_imagenet(root, name="miniature")


def read_caltech_miniature(
    root: str | Path | None,
    *,
    name: str,
    seed: int,
    classes: int,
    images: int,
    planted: int,
    world: Mapping[str, int],
    image_size: int,
    workers: int,
) -> Source:
    """The twin of a Caltech set (`caltech101_miniature`, `caltech256_miniature`) below `root`.

    `world` holds the parameters of the source whose training images are copied.

    Raises:
        SourceError: no root is set.
    """
    base = _existing(root)
    twin = name.removesuffix("_miniature")
    source_world = _world(world, image_size)
    tree = caltech.CaltechWorld(twin, seed, classes, images, planted, image_size, source_world)
    render_tree(base, tree, workers)
    source = read_classes(name, base / tree.layout.folder)
    return replace(source, annotations=base / "annotations")


def read_voc_miniature(
    root: str | Path | None,
    *,
    name: str,
    seed: int,
    train_images: int,
    val_images: int,
    planted: int,
    world: Mapping[str, int],
    image_size: int,
    workers: int,
) -> Source:
    """The twin of VOC 2012 below `root`; `world` and the errors as of `read_caltech_miniature`."""
    base = _existing(root)
    source_world = _world(world, image_size)
    tree = voc.VocWorld(seed, train_images, val_images, planted, image_size, source_world)
    render_tree(base, tree, workers)
    source = read_devkit(name, base / voc.FOLDER)
    return replace(source, annotations=base / "annotations")


def _existing(root: str | Path | None) -> Path:
    if root is None:
        raise SourceError("data.root is not set: name the folder that the miniature is rendered to")
    return Path(root)


def _world(world: Mapping[str, int], image_size: int) -> World:
    """The source as it is rendered; how many validation images it has tells nothing of others."""
    return World(**world, val_images=world["classes"], image_size=image_size)
