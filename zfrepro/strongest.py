"""Which pictures of a folder excite each map most, and why: `python -m zfrepro.strongest FOLDER`.

Draws figure 2, and with `--atlas` pages of every map, for any network and pictures of one's own.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import arguments, outputs

if TYPE_CHECKING:
    import pandas as pd

    from zfrepro.data.pictures import Folder
    from zfrepro.library import Network

BATCH = 32  # pictures that the network sees at once
TABLE = "strongest.csv"
SIGN = "layer,map,rank,"  # the table's first columns


def main() -> None:
    parser = arguments.parser(
        "zfrepro.strongest",
        "Finds the nine pictures of a folder that excite each map most, and draws what the maps\n"
        "see in them (figure 2).",
    )
    parser.add_argument("images", type=Path, help="a folder of pictures of any size")
    arguments.add_network(parser)
    arguments.add_layers(parser)
    parser.add_argument(
        "--maps", type=arguments.natural, nargs="+", metavar="MAP",
        help="these maps of each layer are drawn (default: some drawn at random)",
    )  # fmt: skip
    parser.add_argument(
        "--count", type=arguments.positive, default=9, metavar="N",
        help="maps of each layer that are drawn where none are named (default: 9)",
    )  # fmt: skip
    parser.add_argument(
        "--atlas", action="store_true", help="pages of all maps of the layers too: index.html"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER",
        help=f"of the pictures and {TABLE} (default: FOLDER.strongest)",
    )  # fmt: skip
    args = parser.parse_intermixed_args()
    arguments.answer(lambda: draw(args))


def draw(args: argparse.Namespace) -> str:
    """Draws the maps; returns a line for each layer.

    Raises:
        OSError: no such folder or network.
        ValueError: a picture or the network cannot be read; there is no such layer or map; or the
            output would replace a folder of the user's own.
    """
    from zfrepro import files
    from zfrepro.data.pictures import Folder
    from zfrepro.devices import device_of
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    out = args.out or Path(f"{args.images.resolve().name}.strongest")
    _check(out)
    if not args.images.is_dir():
        raise NotADirectoryError(f"{args.images} is not a folder: name one that holds pictures")
    network = arguments.network(args.network, args.weights).to(device_of("auto"))
    layers = args.layers or network.blocks
    for layer in layers:
        network.check(layer, args.maps or ())
    folder = Folder.of(args.images, network.trained.image_size, network.trained.resize_filter)
    names = [str(path.relative_to(args.images)) for path in folder.paths]
    table = _table(network, folder, layers)
    with files.atomic_path(out / TABLE) as path:
        table.assign(image=[names[i] for i in table["image"]]).to_csv(
            path, index=False, float_format="%.6g"
        )
    lines = [f"{out / TABLE}: the strongest pictures of every map"]
    lines += [_figure(network, folder, table, layer, args, out) for layer in layers]
    if args.atlas:
        lines.append(_atlas(network, folder, table, layers, names, out))
    return "\n".join(lines)


def _table(network: "Network", folder: "Folder", layers: Sequence[str]) -> "pd.DataFrame":
    """As `top_activations.to_table`."""
    import numpy as np
    from tqdm import tqdm

    from zfrepro.interp import top_activations

    parts = np.split(np.arange(len(folder)), range(BATCH, len(folder), BATCH))
    read = network.reader(folder)
    batches = tqdm(parts, f"{network.name} sees {len(folder)} pictures", unit="batch", disable=None)
    return top_activations.to_table(
        top_activations.strongest(
            network.deconvnet.chain, layers, ((part, read(part)) for part in batches)
        )
    )


def _figure(
    network: "Network", folder: "Folder", table: "pd.DataFrame", layer: str,
    args: argparse.Namespace, out: Path,
) -> str:  # fmt: skip
    """Draws some of a layer's maps, and says where."""
    from zfrepro.elements.atlas import pages
    from zfrepro.elements.features import measure, plot

    firing = table.loc[table["layer"] == layer, "map"].unique().tolist()
    shown = args.maps or (firing and measure.choose_maps(table, layer, args.count, seed=0))
    shown = [number for number in shown if number in firing]
    fire = f"{len(firing)} of {network.layers[layer].maps} maps fire"
    if not shown:
        return f"  {layer}: nothing to draw, {fire}"
    panels = measure.panels(
        network.deconvnet, table, layer, shown, network.reader(folder), network.pictures(folder)
    )
    picture = out / f"{pages.stem(layer)}.png"
    plot.draw(panels, picture, f"{network.name}, {layer}: strongest of {len(folder)} pictures")
    return f"  {picture}: map{'s' * (len(shown) > 1)} {', '.join(map(str, shown))}; {fire}"


def _atlas(
    network: "Network", folder: "Folder", table: "pd.DataFrame", layers: Sequence[str],
    names: Sequence[str], out: Path,
) -> str:  # fmt: skip
    """Draws all maps of the layers as pages, and says where."""
    from tqdm import tqdm

    from zfrepro.elements.atlas import pages

    drawn = {}
    for layer in tqdm(layers, "atlas", unit="layer", disable=None):
        found, side, maps = pages.draw_layer(
            network.deconvnet, table, layer, network.reader(folder), network.pictures(folder),
            lambda numbers: [names[i] for i in numbers], out,
        )  # fmt: skip
        drawn[found] = side, maps
    about = f"{len(folder):,} pictures"
    pages.write_pages(out, network.name, about, drawn, report=False)
    return f"{out / 'index.html'}: all maps"


def _check(out: Path) -> None:
    """Raises OutputError where a folder that is there is not one of this command."""
    if out.exists() and not out.is_dir():
        raise outputs.OutputError(f"{out} is a file: name a folder")
    if out.is_dir() and any(out.iterdir()):
        if not (out / TABLE).exists():
            raise outputs.OutputError(
                f"{out} is there, and was not written by this command: move it away, or write to "
                "another name"
            )
        outputs.check(out / TABLE, SIGN)


if __name__ == "__main__":
    main()
