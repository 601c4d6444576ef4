"""Draws figure 8, faces with parts covered, and the picture of table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from zfrepro import paper
from zfrepro.files import atomic_path
from zfrepro.render import mosaic
from zfrepro.render.style import OURS, PAPER, plt, save

TILE = 128  # pixels of one face
PAPERS = {"conv5": "layer5", "fc7": "layer7"}  # layers of table 1

Picture = npt.NDArray[np.float32]


def draw(rows: Mapping[str, Sequence[Picture]], path: Path, title: str) -> None:
    """A column a face, a row a part: writes `path` in the formats of `style`.

    Args:
        rows: of each label the faces (h, w, 3) between 0 and 1.
    """
    columns = len(next(iter(rows.values())))
    tiles = [mosaic.enlarge(face, TILE, smooth=False) for faces in rows.values() for face in faces]
    picture = mosaic.grid(tiles, columns, gap=4)
    height, width = picture.shape[:2]
    inches = 1.25 * columns + 1
    figure, axis = plt.subplots(
        figsize=(inches, inches * height / width + 0.3), layout="constrained"
    )
    axis.imshow(picture, interpolation="none")
    step = TILE + 4
    places = [TILE / 2 + step * i for i in range(len(rows))]
    axis.set_yticks(places, [label.replace("_", " ") for label in rows])
    axis.set_xticks([])
    axis.tick_params(length=0, labelsize=9)
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=9)
    save(figure, path)


def with_paper(table: pd.DataFrame, layers: Sequence[str]) -> pd.DataFrame:
    """The table with the paper's numbers, where it has such a part and layer."""
    published = paper.table("table1").set_index("occlusion").reindex(table["occlusion"])
    columns = {}
    for layer in (each for each in layers if each in PAPERS):
        printed = PAPERS[layer]
        columns[f"{layer}_paper"] = published[f"{printed}_mean"].to_numpy()
        columns[f"{layer}_paper_std"] = published[f"{printed}_std"].to_numpy()
    return table.assign(**columns)


def readable(table: pd.DataFrame, layers: Sequence[str]) -> pd.DataFrame:
    """The same for people: mean, deviation and interval in one cell."""
    columns: dict[str, object] = {"occlusion": table["occlusion"].str.replace("_", " ")}
    for layer in layers:
        if f"{layer}_paper" in table:
            columns[f"{layer}, paper"] = [
                "" if pd.isna(mean) else f"{mean:.3f} ± {deviation:.3f}"
                for mean, deviation in zip(
                    table[f"{layer}_paper"], table[f"{layer}_paper_std"], strict=True
                )
            ]
        ends = (table[f"{layer}_{end}"] for end in ("mean", "std", "low", "high"))
        columns[f"{layer}, here"] = [
            "" if pd.isna(mean) else f"{mean:.3f} ± {deviation:.3f} [{low:.3f}, {high:.3f}]"
            for mean, deviation, low, high in zip(*ends, strict=True)
        ]
    return pd.DataFrame(columns)


def draw_table(
    table: pd.DataFrame, path: Path, title: str, what: str = "Hamming distance of signs"
) -> None:
    """Mean, spread over pairs (thin) and 95 % interval (thick), a panel a layer.

    Args:
        table: of `pipelines.correspondence`; columns <layer>_mean, <layer>_std, <layer>_low and
            <layer>_high, and the paper's <layer>_paper and <layer>_paper_std.
    """
    means = [str(column) for column in table if str(column).endswith("_mean")]
    layers = [column.removesuffix("_mean") for column in means]
    figure, axes = plt.subplots(
        1, len(layers), figsize=(5 * len(layers), 0.9 + 0.6 * len(table)), sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis, layer in zip(axes[0], layers, strict=True):
        _panel(axis, table, layer, what)
    axes[0, 0].set_yticks(
        range(len(table)), [part.replace("_", " ") for part in table["occlusion"]]
    )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    plt.close(figure)


def _panel(axis: Axes, table: pd.DataFrame, layer: str, what: str) -> None:
    places = np.arange(len(table))
    ours, low, high = (table[f"{layer}_{end}"] for end in ("mean", "low", "high"))
    deviation = table[f"{layer}_std"]
    axis.hlines(
        places - 0.12, ours - deviation, ours + deviation, color=OURS, linewidth=1,
        label="± deviation over pairs",
    )  # fmt: skip
    axis.hlines(places - 0.12, low, high, color=OURS, linewidth=5, alpha=0.5,
                label="95 % interval over images")  # fmt: skip
    axis.plot(ours, places - 0.12, "o", color=OURS, markersize=6, label="here")
    if f"{layer}_paper" in table:
        paper, spread = table[f"{layer}_paper"], table[f"{layer}_paper_std"]
        axis.errorbar(
            paper, places + 0.12, xerr=spread, fmt="s", color="0.35", ecolor=PAPER, markersize=5,
            label="paper (± as printed)",
        )  # fmt: skip
    axis.set_xlabel(f"{layer}: {what} (less: alike)", fontsize=9)
    axis.set_xlim(left=0)
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(visible=True, axis="x", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
