"""What a network sees in a picture: `python -m zfrepro.deconv docs/cat.jpg tab3_zfnet`.

Projects the strongest activations of a layer back to the pixels that they come from.
"""

from collections.abc import Sequence
from pathlib import Path

from zfrepro import arguments, networks, outputs


def main() -> None:
    parser = arguments.parser(
        "zfrepro.deconv",
        "Projects a layer's strongest activations on one image back to its pixels.",
    )
    parser.add_argument("image", type=Path, help="a picture of any size")
    arguments.add_network(parser)
    parser.add_argument("--layer", default="conv5", help="a named layer (default: conv5)")
    parser.add_argument(
        "--top", type=arguments.positive, default=9, metavar="N",
        help="how many maps, strongest first",
    )  # fmt: skip
    parser.add_argument(
        "--maps",
        type=arguments.natural,
        nargs="+",
        metavar="MAP",
        help="these maps instead of the strongest",
    )
    arguments.add_out(parser, "IMAGE.LAYER.png; a name that ends with .pdf gives a PDF")
    args = parser.parse_intermixed_args()
    kind = ".pdf" if args.out is not None and args.out.suffix == ".pdf" else ".png"
    (out,) = outputs.named(args.out, f"{args.image.stem}.{args.layer}", kind)
    arguments.answer(
        lambda: project(args.image, args.network, args.layer, args.top, args.maps, out)
    )


def project(
    image: Path, network: Sequence[str], layer: str, top: int, maps: Sequence[int] | None, out: Path
) -> str:
    """Draws the projections to `out`; returns what the network predicts and a line for each.

    Raises:
        OSError: no such image or network.
        ValueError: the image or the network cannot be read, it has no such layer or map; or `out`
            is a file of the user's own.
    """
    from zfrepro import library
    from zfrepro.data import picture
    from zfrepro.elements.features import plot as drawing
    from zfrepro.inference import inputs
    from zfrepro.interp.deconv import Deconvnet, strongest
    from zfrepro.models.memory import keep_freed_memory
    from zfrepro.training.trained import centred

    keep_freed_memory()
    outputs.check(out, inputs=[image])
    content = picture.load(image)
    trained = library.load(networks.shown(network)).trained
    arguments.warn_of_chance(trained, network)
    crop = picture.centre(
        picture.fitted(content, trained.image_size, trained.resize_filter), trained.crop
    )
    deconvnet = Deconvnet(trained.net)
    given = centred(trained, crop[None])
    seen = deconvnet.see(given, layer)
    picks = strongest(seen, maps)
    values = seen.at(picks)
    order = values.argsort(descending=True, stable=True)[: top if maps is None else None]
    chosen = picks[order]
    projections = deconvnet.project(seen, chosen).whole(trained.crop, trained.crop)
    labels = [
        f"{layer} map {number}, {value:.3g}"
        for number, value in zip(chosen.maps.tolist(), values[order].tolist(), strict=True)
    ]
    drawing.draw_image(crop, projections.permute(0, 2, 3, 1).numpy(), labels, out, image.name)
    places = zip(labels, chosen.rows.tolist(), chosen.columns.tolist(), strict=True)
    lines = [f"  {label} at row {row}, column {column}" for label, row, column in places]
    (predicted,) = inputs.predictions(trained, given)
    return "\n".join([f"{image.name}: {predicted}", f"{out}:", *lines])


if __name__ == "__main__":
    main()
