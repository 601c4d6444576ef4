"""What a network loses where a square hides it: `python -m zfrepro.occlusion cat.jpg tab3_zfnet`.

Draws, for one picture, figure 7's maps over the places of a grey square.
"""

import argparse
from pathlib import Path

from zfrepro import arguments, outputs


def main() -> None:
    parser = arguments.parser(
        "zfrepro.occlusion",
        "Moves a grey square over a picture: how a map's activation, the class' probability and\n"
        "the most probable class change (figure 7).",
    )
    parser.add_argument("image", type=Path, help="a picture of any size")
    arguments.add_network(parser)
    parser.add_argument(
        "--layer", default="conv5", help="a convolutional layer, by its name (default: conv5)"
    )
    parser.add_argument(
        "--class", dest="label", metavar="CLASS",
        help="its true class: a number, an identifier or a name; without it, maps are of the most "
        "probable class",
    )  # fmt: skip
    arguments.add_square(parser, stride=8)
    arguments.add_out(parser, "IMAGE.occlusion.png; a PDF and a CSV of the maps go beside it")
    args = parser.parse_intermixed_args()
    arguments.answer(lambda: occlude(args))


def occlude(args: argparse.Namespace) -> str:
    """Draws the maps; returns what the network makes of the picture, covered and not.

    Raises:
        OSError: no such picture or network.
        ValueError: one of them cannot be read; there is no such layer or class; or an output would
            replace a file of the user's own.
    """
    import numpy as np

    from zfrepro import files
    from zfrepro.data import picture
    from zfrepro.elements.occlusion import measure as occlusion
    from zfrepro.elements.occlusion import plot as drawing
    from zfrepro.inference import inputs
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    out, pdf, csv = outputs.named(args.out, f"{args.image.stem}.occlusion", ".png", ".pdf", ".csv")
    for path, sign in ((out, outputs.MARK), (pdf, outputs.MARK), (csv, "top,left,map,")):
        outputs.check(path, sign, [args.image])
    content = picture.load(args.image)
    network = arguments.network(args.network, args.weights)
    trained, deconvnet = network.trained, network.deconvnet
    square = occlusion.Square.of(trained.crop, side=args.side, stride=args.stride, value=args.grey)
    crops = picture.centre(inputs.prepared(trained, [content]), trained.crop)
    image = network.inputs(crops)
    found = occlusion.occlude(
        deconvnet.chain, image[0], network.grey(square.value), square, args.layer,
        inputs.class_number(trained, args.label),
    )  # fmt: skip
    names = [inputs.class_name(trained, number) for number in range(len(trained.classes))]
    whose = "the most probable class" if args.label is None else "the true class"
    (predicted,) = inputs.predictions(trained, image)
    projections = occlusion.projections(deconvnet, args.layer, found.map, image)
    row = drawing.Row(crops.astype(np.float32) / np.float32(255), projections, found, None, names)
    title = f"{args.image.name}: what a grey square hides"
    drawing.draw([row], args.layer, out, title, whose=whose)
    with files.atomic_path(csv) as path:
        found.to_table().to_csv(path, index=False, float_format="%.5g")
    least = np.unravel_index(found.probability.argmin(), found.probability.shape)
    return (
        f"{args.image.name}: {predicted}\n{out}:\n"
        f"  {whose}, {names[found.label]}: probability {found.clean_probability:.3f}, and "
        f"{found.probability[least]:.3f} with the square at row {found.rows[least[0]]}, column "
        f"{found.columns[least[1]]}\n  {args.layer} map {found.map}: sum "
        f"{found.clean_activation:.3g}, at least {found.activation.min():.3g}"
    )


if __name__ == "__main__":
    main()
