"""What each layer's features are worth on images of one's own: `python -m zfrepro.probe FOLDER`.

Table 7 for any network: linear classifiers on the features of each layer, or block.
"""

import argparse
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import arguments, config, outputs

if TYPE_CHECKING:
    import pandas as pd

    from zfrepro.data.pictures import Labelled
    from zfrepro.library import Network
    from zfrepro.transfer.protocol import Fold, Labels

MOST = 30  # images of a class to train on where none are given: those of the paper's Caltech-101
CLASSIFIERS = ("svm", "softmax")
SIGN = "layer,classifier,"  # the table's first columns


def main() -> None:
    parser = arguments.parser(
        "zfrepro.probe",
        "Trains linear classifiers on the features of each layer, and tests them on other images:\n"
        "how well a layer tells the classes of a folder apart (table 7).",
    )
    parser.add_argument("images", type=Path, help="a folder with a folder of images for each class")
    arguments.add_network(parser)
    arguments.add_layers(parser)
    parser.add_argument(
        "--classifier", choices=CLASSIFIERS, default="svm", help="linear SVM (default) or softmax"
    )
    parser.add_argument(
        "--images-per-class", type=arguments.positive, metavar="N",
        help=f"to train on (default: half of the smallest class, at most {MOST})",
    )  # fmt: skip
    parser.add_argument(
        "--tested", type=arguments.positive, default=50, metavar="N",
        help="of the other images of a class, up to so many (default: 50)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=arguments.positive, default=5, metavar="N",
        help="times that images are drawn anew (default: 5)",
    )  # fmt: skip
    parser.add_argument("--seed", type=arguments.natural, default=0, help="of the folds")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="a CSV of all folds (default: FOLDER.probe.csv)"
    )
    args = parser.parse_intermixed_args()
    arguments.answer(lambda: probe(args))


def probe(args: argparse.Namespace) -> str:
    """Writes the accuracy of each fold; returns a line for each layer.

    Raises:
        OSError: no such folder or network.
        ValueError: an image or the network cannot be read; there is no such layer; a class has too
            few images; or the output would replace a file of the user's own.
    """
    from zfrepro import files
    from zfrepro.data.pictures import Labelled
    from zfrepro.devices import device_of
    from zfrepro.models.memory import keep_freed_memory
    from zfrepro.transfer.protocol import Labels, draw

    keep_freed_memory()
    (out,) = outputs.named(args.out, f"{args.images.resolve().name}.probe", ".csv")
    outputs.check(out, SIGN)
    network = arguments.network(args.network, args.weights).to(device_of("auto"))
    layers = args.layers or network.blocks
    for layer in layers:
        network.check(layer)
    trained = network.trained
    images = Labelled.of(args.images, trained.image_size, trained.resize_filter)
    labels = Labels.of(images.labels, images.classes)
    count = _per_class(images, args.images_per_class)
    folds = [draw(labels, count, args.tested, k, args.seed) for k in range(args.folds)]
    table = _probed(network, images, layers, labels, folds, args.classifier)
    with files.atomic_path(out) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    tested = len(folds[0].test)
    head = (
        f"{args.images}: {len(images)} images of {len(images.classes)} classes; {count} of each "
        f"train, {tested} others are tested, {len(folds)} fold{'s' * (len(folds) > 1)}\n"
        f"{out}: accuracy in percent, {args.classifier} (chance {100 / len(images.classes):.1f})"
    )
    return "\n".join([head, *_lines(table, len(folds[0].test) / len(folds[0].train))])


def _per_class(images: "Labelled", wanted: int | None) -> int:
    """How many images of each class train.

    Raises:
        ValueError: none of a class would be left to test; names it.
    """
    import numpy as np

    sizes = np.bincount(images.labels)
    least = int(sizes.min())
    if least <= (wanted or 1):
        raise ValueError(
            f"{images.root / images.classes[int(sizes.argmin())]} holds {least} images: with "
            f"{wanted or 1} of each class to train on none is left to test; add images, or give "
            "a smaller --images-per-class"
        )
    return wanted or min(least // 2, MOST)


def _probed(
    network: "Network", images: "Labelled", layers: Sequence[str], labels: "Labels",
    folds: Sequence["Fold"], classifier: str,
) -> "pd.DataFrame":  # fmt: skip
    """A line for each layer and fold: its accuracy, the strength chosen, and numbers an image."""
    import tempfile

    import numpy as np
    import pandas as pd
    from tqdm import tqdm

    from zfrepro.transfer import features
    from zfrepro.transfer.probe import accuracy

    settings = config.load(config.CONF / "transfer.yaml")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        paths = features.extract(
            network.deconvnet.chain, layers, len(images), network.reader(images), Path(scratch),
            precision=network.trained.precision, progress=f"{network.name} sees the images",
        )  # fmt: skip
        pairs = [(layer, fold) for layer in layers for fold in folds]
        for layer, fold in tqdm(pairs, classifier, unit="fold", disable=None):
            strengths = settings["strengths"][classifier]
            found, strength = accuracy(
                paths[layer], fold, labels, classifier, strengths, network.trained.mean.device
            )
            rows.append({
                "layer": layer, "classifier": classifier, "fold": fold.number,
                "images_per_class": fold.images_per_class, "accuracy": found,
                "strength": strength, "numbers": np.load(paths[layer], mmap_mode="r").shape[1],
            })  # fmt: skip
    return pd.DataFrame(rows)


def _lines(table: "pd.DataFrame", tested: float) -> list[str]:
    """Of each layer the mean over folds, its deviation and its 95 % interval.

    Args:
        tested: test images of a fold, by its training images.
    """
    from zfrepro.elements.transfer import tables

    width = max(map(len, table["layer"]))
    lines = []
    for layer, rows in table.groupby("layer", sort=False):
        found = tables.over_folds(rows["accuracy"].to_numpy(), tested, bounded=True)
        line: dict[Hashable, float] = {f"mean_{key}": value for key, value in found.items()}
        shown = tables.cell(line | {"mean": found["mean"]}, "mean")
        lines.append(f"  {layer:{width}}  {rows['numbers'].iloc[0]:8,} numbers  {shown}")
    return lines


if __name__ == "__main__":
    main()
