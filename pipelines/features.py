"""Stage `features`: figure 2, what excites the maps of each layer, and where in the images.

Writes results/features/<network>.parquet, the nine strongest images of every map of every layer,
and results/figures/figure2/<layer>.{png,pdf}, for the first layer its filters too.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from zfrepro import config, files
from zfrepro.analysis import features, strongest
from zfrepro.analysis.chain import ChainError
from zfrepro.analysis.deconv import Deconvnet
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.fingerprint import fingerprint
from zfrepro.models.memory import keep_freed_memory
from zfrepro.report import features as drawing
from zfrepro.training.trained import Trained, centred, load

RESULTS = config.ROOT / "results"
FIGURES = RESULTS / "figures" / "figure2"

Ints = npt.NDArray[np.int64]
Read = Callable[[Ints], Tensor]
Show = Callable[[Ints], npt.NDArray[np.float32]]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    files.exit_on_signals()
    files.die_with_parent()
    keep_freed_memory()
    try:
        run(config.load(config.CONFIGS / "analysis.yaml")["features"])
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


def run(settings: Config) -> None:
    prepared = PreparedSet.open(RESULTS / "prepared" / "source")
    trained = load(RESULTS / "runs" / settings["network"] / "weights.pt")
    split = prepared.split(settings["split"])
    deconvnet = Deconvnet(trained.net)
    unknown = set(settings["maps"]) - set(deconvnet.chain.layers)
    if unknown:
        raise ChainError(f"{settings['network']} has no layer {', '.join(sorted(unknown))}")
    table = strongest_of(
        settings["network"], trained, split, deconvnet, deconvnet.chain.layers,
        prepared.manifest["digest"],
    )  # fmt: skip
    with files.atomic_path(RESULTS / "features" / f"{settings['network']}.parquet") as path:
        table.assign(path=split.paths_of(table["image"].to_numpy())).to_parquet(path, index=False)
    for layer, count in settings["maps"].items():
        maps = features.choose_maps(table, layer, count, settings["seed"])
        found = features.panels(
            deconvnet, table, layer, maps, reader(trained, split), pictures(trained, split)
        )
        title = f"{settings['network']}, {layer}: strongest {settings['split']} images of each map"
        drawing.draw(found, FIGURES / layer, title)
    first = deconvnet.chain.layers[0]
    weights = trained.net.state_dict()[f"{first}.weight"].numpy()
    drawing.draw_filters(
        weights, FIGURES / f"{first}_filters", f"{settings['network']}, filters of {first}"
    )


def strongest_of(
    network: str,
    trained: Trained,
    split: Split,
    deconvnet: Deconvnet,
    layers: Sequence[str],
    data: str,
    epoch: int | None = None,
) -> pd.DataFrame:
    """The strongest activations of a run's network over a split; kept, and found again.

    Args:
        data: the digest of the prepared images.
        epoch: of the snapshot that the network has been put back to; None: it is as trained.
    """
    recipe = json.loads((RESULTS / "runs" / network / "run.json").read_text(encoding="utf-8"))
    parts = {"data": data, "split": split.name, "layers": list(layers), "epoch": epoch}
    mark = fingerprint(parts, ["zfrepro.analysis.strongest", "zfrepro.training.trained"])
    folder = config.CHECKPOINTS / recipe["fingerprint"] / f"strongest-{mark}"
    what = f"{network}, {split.name}" + (f", epoch {epoch}" if epoch else "")
    read = reader(trained, split)
    return strongest.collect(deconvnet.chain, layers, len(split), read, folder, progress=what)


def reader(trained: Trained, split: Split) -> Read:
    """What gives the network's input for images of these numbers."""

    def read(numbers: Ints) -> Tensor:
        return centred(trained, split.read(numbers, crop=trained.crop))

    return read


def pictures(trained: Trained, split: Split) -> Show:
    """What gives the same crops between 0 and 1."""

    def show(numbers: Ints) -> npt.NDArray[np.float32]:
        return split.read(numbers, crop=trained.crop).astype(np.float32) / np.float32(255)

    return show


if __name__ == "__main__":
    main()
