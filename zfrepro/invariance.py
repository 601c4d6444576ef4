"""How features move with the image: `python -m zfrepro.invariance a.jpg --network tab3_zfnet`.

Draws figure 5 for pictures of one's own.
"""

import argparse
from pathlib import Path

from zfrepro import arguments, outputs


def main() -> None:
    parser = arguments.parser(
        "zfrepro.invariance",
        "Moves, enlarges and turns pictures: how far two layers' features and the class'\n"
        "probability move with them (figure 5).",
    )
    parser.add_argument("images", type=Path, nargs="+", help="pictures of any size")
    parser.add_argument(
        "--network", nargs="+", default=[], metavar="NETWORK", help=arguments.NETWORK
    )
    arguments.add_weights(parser)
    parser.add_argument(
        "--layers", nargs="+", default=["conv1", "fc7"], metavar="LAYER",
        help="named layers (default: conv1 fc7, the paper's first and seventh)",
    )  # fmt: skip
    parser.add_argument(
        "--classes", nargs="+", metavar="CLASS",
        help="the pictures' true classes: numbers, identifiers or names; without them, "
        "probabilities are of the most probable class of each",
    )  # fmt: skip
    for kind, first, last, step, limits, unit in (
        ("translation", -60, 60, 4, (-224, 224), "pixels of a crop of 224, downwards"),
        ("scale", 1, 1.8, 0.05, (0, 100), "factors"),
        ("rotation", 0, 350, 10, (-3600, 3600), "degrees, anticlockwise"),
    ):
        parser.add_argument(
            f"--{kind}", nargs=3, type=arguments.within(*limits), default=[first, last, step],
            metavar=("FIRST", "LAST", "STEP"), help=f"{unit} (default: {first} {last} {step})",
        )  # fmt: skip
    arguments.add_out(parser, "invariance.png; a PDF and a CSV of the curves go beside it")
    args = parser.parse_args()
    arguments.answer(lambda: measure(args))


def measure(args: argparse.Namespace) -> str:
    """Draws the curves; returns where they lie.

    Raises:
        OSError: no such picture or network.
        ValueError: one of them cannot be read; there is no such layer, class or transformation; or
            an output would replace a file of the user's own.
    """
    import pandas as pd
    import torch

    from zfrepro import files
    from zfrepro.data import picture
    from zfrepro.elements.invariance import measure as invariance
    from zfrepro.elements.invariance import plot as drawing
    from zfrepro.inference import inputs
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    out, pdf, csv = outputs.named(args.out, "invariance", ".png", ".pdf", ".csv")
    for path, sign in ((out, outputs.MARK), (pdf, outputs.MARK), (csv, "kind,amount,")):
        outputs.check(path, sign, args.images)
    words = args.classes or [None] * len(args.images)
    if len(words) != len(args.images):
        raise ValueError(f"{len(words)} classes of {len(args.images)} pictures: give one for each")
    contents = [picture.load(image) for image in args.images]
    network = arguments.network(args.network, args.weights)
    trained, chain = network.trained, network.deconvnet.chain
    wanted = invariance.transformations(
        trained.crop, **{kind: getattr(args, kind) for kind in invariance.KINDS}
    )
    prepared = inputs.prepared(trained, contents)
    parts = []
    for path, pixels, word in zip(args.images, prepared, words, strict=True):
        moved = invariance.transformed(
            torch.from_numpy(pixels), trained.mean, trained.crop,
            [invariance.Transformation.none(), *wanted],
        )  # fmt: skip
        moved = network.scaled(moved)
        label = inputs.class_number(trained, word)
        parts.append(
            invariance.curves(chain, moved, wanted, label, args.layers).assign(image=str(path))
        )
    table = pd.concat(parts, ignore_index=True)
    examples = invariance.examples(prepared, trained.mean, trained.crop, wanted)
    names = [path.name for path in args.images]
    whose = "true class" if args.classes else "most probable class"
    title = "features under transformation"
    drawing.draw(table, examples, names, trained.crop, out, title, whose=whose)
    with files.atomic_path(csv) as path:
        table.to_csv(path, index=False, float_format="%.5g")
    furthest = table.pivot_table("relative", "kind", "layer", aggfunc="max", sort=False)
    text = furthest.to_string(float_format="%.3f")
    given = network.inputs(picture.centre(prepared, trained.crop))
    predicted = zip(names, inputs.predictions(trained, given), strict=True)
    lines = [f"{name}: {words}" for name, words in predicted]
    return "\n".join([*lines, f"{out}: the furthest, in norms of the features", text])


if __name__ == "__main__":
    main()
