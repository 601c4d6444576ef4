"""Whether parts correspond: `python -m zfrepro.correspondence landmarks.csv tab3_zfnet`.

Works out table 1 for pictures of one's own whose parts have been marked.
"""

import argparse
from pathlib import Path

from zfrepro import arguments, outputs

FORMAT = """
The CSV has a line a picture. Its columns are `image`, a path from the CSV's folder, and of each
part <part>_x and <part>_y, in pixels of that picture from its top left corner:

    image,right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y
    rex.jpg,101.5,88,160,90,130,141.5
    bella.png,44,61,80.5,60,62,95

Parts may have any names; those of the paper are compared with its numbers."""


def main() -> None:
    parser = arguments.parser(
        "zfrepro.correspondence",
        "Hides a part of each picture and compares the signs of what changes in the features, for\n"
        f"each two pictures (table 1).\n{FORMAT}",
    )
    parser.add_argument("landmarks", type=Path, help="a CSV of pictures and places, see above")
    arguments.add_network(parser)
    parser.add_argument(
        "--layers", nargs="+", default=["conv5", "fc7"], metavar="LAYER",
        help="named layers (default: conv5 fc7, the paper's fifth and seventh)",
    )  # fmt: skip
    parser.add_argument(
        "--draws", type=arguments.positive, default=20, metavar="N",
        help="random places of each picture (default: 20)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=arguments.natural, default=0, help="of the random places (default: 0)"
    )
    arguments.add_square(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="keeps the table as CSV")
    args = parser.parse_intermixed_args()
    arguments.answer(lambda: compare(args))


def compare(args: argparse.Namespace) -> str:
    """What the network predicts of each picture, and the table, as Markdown.

    Raises:
        OSError: no such CSV, picture or network.
        ValueError: one of them cannot be read, or holds fewer than two pictures; a landmark lies
            outside its picture's crop; or there is no such layer.
    """
    from zfrepro import files
    from zfrepro.data import annotations, picture
    from zfrepro.elements.correspondence import measure as correspondence
    from zfrepro.elements.correspondence import plot as drawing
    from zfrepro.elements.occlusion.measure import PAPER_CROP, Square
    from zfrepro.inference import inputs
    from zfrepro.models.memory import keep_freed_memory
    from zfrepro.render.tables import markdown

    keep_freed_memory()
    marked = annotations.read_landmarks(args.landmarks)
    if args.out:
        outputs.check(args.out, "occlusion,", [args.landmarks, *marked])
    if len(marked) < 2:
        raise ValueError(f"{args.landmarks} holds one picture: pairs need at least two")
    contents = [picture.load(image) for image in marked]
    network = arguments.network(args.network, args.weights)
    trained = network.trained
    places = [
        annotations.in_crop(places, *content.size, trained.image_size, trained.crop, image)
        for (image, places), content in zip(marked.items(), contents, strict=True)
    ]
    square = Square.of(trained.crop, side=args.side, stride=PAPER_CROP, value=args.grey)
    crops = picture.centre(inputs.prepared(trained, contents), trained.crop)
    given = network.inputs(crops)
    found = correspondence.consistency(
        network.deconvnet.chain, given, network.grey(square.value), places,
        square.side, args.layers, draws=args.draws, seed=args.seed,
    )  # fmt: skip
    table = drawing.with_paper(correspondence.table([found], args.layers), args.layers)
    if args.out:
        with files.atomic_path(args.out) as path:
            table.to_csv(path, index=False, float_format="%.5g")
    predicted = zip(marked, inputs.predictions(trained, given), strict=True)
    lines = [f"{image.name}: {words}" for image, words in predicted]
    return "\n".join([*lines, "", markdown(drawing.readable(table, args.layers))])


if __name__ == "__main__":
    main()
