"""What a network sees in a picture: `python -m zfrepro.deconv docs/cat.jpg tab3_zfnet`.

Projects the strongest activations of a layer back to the pixels that they come from.
"""

from collections.abc import Sequence
from pathlib import Path

from zfrepro import arguments, outputs


def main() -> None:
    parser = arguments.parser(
        "zfrepro.deconv",
        "Projects a layer's strongest activations on one image back to its pixels.",
    )
    parser.add_argument("image", type=Path, help="a picture of any size")
    arguments.add_network(parser)
    parser.add_argument("--layer", default="conv5", help="a named layer (default: conv5)")
    parser.add_argument(
        "--layers", action="store_true", help="lists the layers instead, and what their units see"
    )
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
    if args.layers:
        arguments.answer(lambda: layers(args.network, args.weights))
        return
    arguments.answer(
        lambda: project(
            args.image, args.network, args.layer, args.top, args.maps, out, args.weights
        )
    )


def layers(words: Sequence[str], weights: str | None) -> str:
    """A line for each layer: its name, maps and receptive field.

    Raises:
        OSError, ValueError: no such network.
    """
    found = arguments.network(words, weights).layers
    width = max(map(len, found))
    lines = [f"{'layer':{width}}  {'maps':>5}  {'height':>6} x {'width':<5}  a unit sees"]
    for each in found.values():
        sees = f"{each.field} pixels, every {each.stride}" if each.field else "the whole crop"
        lines.append(
            f"{each.name:{width}}  {each.maps:5}  {each.height:6} x {each.width:<5}  {sees}"
        )
    return "\n".join(lines)


def project(
    image: Path,
    words: Sequence[str],
    layer: str,
    top: int,
    maps: Sequence[int] | None,
    out: Path,
    weights: str | None = None,
) -> str:
    """Draws the projections to `out`; returns what the network predicts and a line for each.

    Raises:
        OSError: no such image or network.
        ValueError: the image or the network cannot be read, it has no such layer or map; or `out`
            is a file of the user's own.
    """
    from zfrepro.data import picture
    from zfrepro.elements.features import plot as drawing
    from zfrepro.inference import inputs
    from zfrepro.interp.deconv import strongest
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    outputs.check(out, inputs=[image])
    content = picture.load(image)
    network = arguments.network(words, weights)
    trained = network.trained
    crop = picture.centre(
        picture.fitted(content, trained.image_size, trained.resize_filter), trained.crop
    )
    given = network.inputs(crop[None])
    seen = network.deconvnet.see(given, layer)
    picks = strongest(seen, maps)
    values = seen.at(picks)
    order = values.argsort(descending=True, stable=True)[: top if maps is None else None]
    chosen = picks[order]
    projections = network.deconvnet.project(seen, chosen).whole(trained.crop, trained.crop)
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
