"""Scores a network on prepared images, or on a labelled folder: `python -m zfrepro.evaluate`."""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zfrepro import arguments, config, files, outputs, processes
from zfrepro.arguments import is_factory
from zfrepro.networks import PREPARED, images_of, weights_of

if TYPE_CHECKING:  # torch takes seconds to import, and `--help` needs none of it
    from zfrepro.data.store import PreparedSet, Split
    from zfrepro.training.trained import Trained


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="zfrepro.evaluate",
        description="Scores a network on prepared images, or on a folder with a folder of images "
        "for each class, with 95 % bootstrap intervals.",
        epilog=f"Published networks: {', '.join(config.published_models())}. They know the 1000 "
        "classes of ImageNet. Their package downloads the weights; those of a file are taken "
        "where model.published.weights=FILE follows model=NAME.",
    )
    parser.add_argument(
        "network", nargs="+",
        help=f"{arguments.NETWORK}; of several, their mean error and their ensemble's",
    )  # fmt: skip
    arguments.add_weights(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--prepared", type=Path, metavar="DIR",
        help="prepared images (those that the network was trained on, if not given)",
    )  # fmt: skip
    source.add_argument(
        "--images", type=Path, metavar="FOLDER",
        help="instead of them a folder of images for each class, named as the network names it: "
        "by number, WordNet id or name; of a network without names the folders' order counts",
    )  # fmt: skip
    parser.add_argument("--split", default="val", help="train, val (default) or another it has")
    parser.add_argument(
        "--sample", action="store_true",
        help="of the split a fixed random sample, as large as val: table 3's train error is of it",
    )  # fmt: skip
    parser.add_argument(
        "--crops", choices=("ten", "centre"), default="ten", help="ten averaged, or one"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="keeps each image's prediction, as Parquet; the ensemble's, of several networks",
    )
    args = parser.parse_intermixed_args()  # model=NAME --crops centre model.published...
    processes.exit_on_signals()
    arguments.answer(
        lambda: score(
            args.network, args.prepared, args.split, args.crops, args.out, args.sample,
            folder=args.images, weights=args.weights,
        )
    )  # fmt: skip


def score(
    network: Sequence[str],
    prepared: Path | None,
    split: str,
    crops: str,
    out: Path | None,
    sample: bool = False,
    *,
    folder: Path | None = None,
    weights: str | None = None,
) -> str:
    """Top-1 and top-5 error of `network` on a split; of several, their mean and their ensemble's.

    Args:
        network: as of `library.load`; or several.
        prepared: images; None: those that the (first) network was trained on.
        sample: of the split only as many images as the validation set has, always the same.
        folder: instead of prepared images one with a folder of images for each class.
        weights: a state dict of the one package.module:factory.

    Raises:
        ValueError: the file holds no network of this project, or it does not fit the images; the
            weights of a published one are not to be had; or `out` is a file of the user's own.
        OSError: no such file, or no prepared images there.
    """
    from zfrepro.data.store import PreparedSet
    from zfrepro.inference import evaluation, predictions
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    named = _apart(network)
    _check(network, prepared or folder, weights)
    if out is not None:
        outputs.check(out, "probabilities", [Path(name) for name in network])
    # of a published network perhaps a long download: after the images
    ours = [weights_of(words) for words in named if _is_ours(words[0])]
    images = None
    if folder is None:
        images = PreparedSet.open(prepared or (images_of(ours[0]) if ours else PREPARED))
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / f"{number}.parquet" for number in range(len(named))]
        for words, path in zip(named, paths, strict=True):
            trained = _trained(words, weights)
            if images:
                part = _split(trained, images, split, words[0])
            elif folder:
                part = _labelled(trained, folder)
            size = len(part)
            if sample and images:
                size = min(size, len(images.split("val")))
            evaluation.evaluate(
                trained, part, evaluation.subset(len(part), size), {crops: path},
                progress=f"{words[0]}, {folder or split}, {crops}",
            )  # fmt: skip
        names = " ".join(words[0] for words in named)
        kind = f"{folder or split}, {crops} crop{'s' * (crops == 'ten')}"
        lines = [f"{names} on {size} images ({kind})", *_errors(paths)]
        if len(paths) > 1:
            predictions.average(paths, together := Path(scratch) / "ensemble.parquet")
            lines += ["their ensemble, probabilities averaged", *_errors([together])]
            paths = [together]
        if out is not None:
            with files.atomic_path(out) as kept:
                shutil.copyfile(paths[0], kept)
    return "\n".join(lines)


def _check(network: Sequence[str], images: Path | None, weights: str | None) -> None:
    """Raises ValueError where what stands beside package.module:factory does not go with it."""
    made = [name for name in network if is_factory(name)]
    if weights and len(made) != 1:
        raise ValueError(
            f"--weights {weights} goes with one network package.module:factory, and "
            f"{len(made) or 'none'} is named"
        )
    if made and not images:
        raise ValueError(
            f"{made[0]} was not trained here: name images, as --images FOLDER with a folder for "
            "each class or as --prepared DIR"
        )


def _is_ours(name: str) -> bool:
    """Whether a word names weights of this project."""
    return not (name.startswith("model=") or is_factory(name))


def _apart(network: Sequence[str]) -> list[Sequence[str]]:
    """Each network of the command line; a published one and its overrides are one."""
    return [network] if network[0].startswith("model=") else [[name] for name in network]


def _trained(words: Sequence[str], weights: str | None) -> "Trained":
    """The network that some words of the command line name, on the device that is there."""
    from zfrepro import library
    from zfrepro.devices import device_of

    own = weights if is_factory(words[0]) else None
    return library.load(words, weights=own).whole.to(device_of("auto"))


def _split(trained: "Trained", images: "PreparedSet", split: str, name: str) -> "Split":
    """A split of prepared images, labelled by the outputs of the network `name`."""
    from zfrepro.inference import evaluation, inputs

    part = images.split(split)
    if not is_factory(name):
        evaluation.check_fit(trained, images)
        return part
    if trained.image_size != images.image_size:
        raise evaluation.UnfitError(
            f"{name} reads images of {trained.image_size} pixels, and those in {images.folder} "
            f"have {images.image_size}: --images FOLDER takes them as they are before preparation"
        )
    places = inputs.outputs_of(trained, images.classes, images.folder)
    return part.subset(range(len(part)), places[part.labels])


def _labelled(trained: "Trained", folder: Path) -> "Split":
    """The images of class folders, labelled by the network's outputs."""
    from zfrepro.data.pictures import Labelled
    from zfrepro.inference import inputs

    found = Labelled.of(folder, trained.image_size, trained.resize_filter)
    places = inputs.outputs_of(trained, [(name, name) for name in found.classes], folder)
    return cast("Split", replace(found, labels=places[found.labels]))  # of the same use


def _errors(paths: Sequence[Path]) -> list[str]:
    """The mean top-1 error of predictions on the same images, and of six classes or more top-5."""
    import numpy as np

    from zfrepro import stats
    from zfrepro.inference import predictions

    lines = []
    for at in (1, 5):
        if not predictions.says_something(paths[0], at):
            continue
        shares = np.mean([predictions.wrong(path, at) for path in paths], axis=0)
        found = stats.bootstrap_shares(shares)
        lines.append(
            f"  top-{at} error {found.mean:6.2f} %   95 % interval "
            f"{found.low:.2f} to {found.high:.2f}"
        )
    if all(map(predictions.knows_nothing, paths)):
        lines.append("  no better than chance: to name the most frequent class is as good")
    return lines


if __name__ == "__main__":
    main()
