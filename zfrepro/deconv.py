"""What a network sees in a picture: `python -m zfrepro.deconv cat.jpg tab3_zfnet --layer conv5`.

Projects the strongest activations of a layer back to the pixels that they come from.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from zfrepro import config, files
from zfrepro.evaluate import weights_of


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="zfrepro.deconv",
        description="Projects a layer's strongest activations on one image back to its pixels.",
        epilog=f"Published networks: {', '.join(config.published_models())}; "
        "model.published.weights=FILE may follow model=NAME.",
    )
    parser.add_argument("image", type=Path, help="a picture of any size")
    parser.add_argument(
        "network", nargs="+",
        help="a weights.pt, a run's folder, an experiment that has been trained, or model=NAME "
        "for a published network",
    )  # fmt: skip
    parser.add_argument("--layer", default="conv5", help="a named layer (default: conv5)")
    parser.add_argument(
        "--top", type=_positive, default=9, metavar="N", help="how many maps, strongest first"
    )
    parser.add_argument(
        "--maps", type=int, nargs="+", metavar="MAP", help="these maps instead of the strongest"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the picture (IMAGE.LAYER.png, if not given)"
    )
    args = parser.parse_intermixed_args()
    files.exit_on_signals()
    out = args.out or Path(f"{args.image.stem}.{args.layer}.png")
    try:
        print(project(args.image, args.network, args.layer, args.top, args.maps, out))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


def project(
    image: Path, network: Sequence[str], layer: str, top: int, maps: Sequence[int] | None, out: Path
) -> str:
    """Draws the projections to `out`; returns a line for each of them.

    Raises:
        OSError: no such image or network.
        ValueError: the image or the network cannot be read, or it has no such layer or map.
    """
    import numpy as np

    from zfrepro.analysis.deconv import Deconvnet, strongest
    from zfrepro.data.decode import BadImageError, decode, fit
    from zfrepro.models.memory import keep_freed_memory
    from zfrepro.report import features as drawing
    from zfrepro.training.trained import centred, load

    keep_freed_memory()
    try:
        picture = decode(image.read_bytes()).image
    except BadImageError as error:
        raise ValueError(f"{image} cannot be read: {error}") from error
    trained = load(weights_of(network))
    fitted = np.asarray(fit(picture, trained.image_size, trained.resize_filter))
    start = (trained.image_size - trained.crop) // 2
    crop = fitted[start : start + trained.crop, start : start + trained.crop]
    deconvnet = Deconvnet(trained.net)
    seen = deconvnet.see(centred(trained, crop[None]), layer)
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
    return "\n".join([f"{out}:", *lines])


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    main()
