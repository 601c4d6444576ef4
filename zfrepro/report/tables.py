"""Tables as files: CSV for programs, Markdown for people, a picture for both."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from zfrepro.files import atomic_path, atomic_write

mpl.use("Agg")  # stages have no screen

import matplotlib.pyplot as plt

PAPER, OURS, NAIVE = "#9aa5b1", "#1f5fa8", "#c9a227"


def write(table: pd.DataFrame, path: Path) -> None:
    """Writes `path` (.csv) and the same table as Markdown beside it (.md)."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    atomic_write(path.with_suffix(".md"), markdown(table))


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; numbers with one decimal, empty cells where there is no value."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def bars(
    table: pd.DataFrame, path: Path, *, label: str, pairs: dict[str, tuple[str, str]], title: str
) -> None:
    """Horizontal bars, ours and the paper's number for each row.

    Args:
        label: the column that names the rows.
        pairs: name of an error to the columns of ours and of the paper's; one panel each.
    """
    height = 0.6 + 0.55 * len(table)
    figure, axes = plt.subplots(
        1, len(pairs), figsize=(5.2 * len(pairs), height), sharey=True, layout="constrained"
    )
    for axis, (name, columns) in zip(axes, pairs.items(), strict=True):
        _panel(axis, table, name, *columns)
    axes[0].set_yticks(range(len(table)), table[label])
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    plt.close(figure)


def _panel(axis: Axes, table: pd.DataFrame, name: str, ours: str, paper: str) -> None:
    places = range(len(table))
    axis.barh([y - 0.19 for y in places], table[ours], 0.36, color=OURS, label="here")
    axis.barh(
        [y + 0.19 for y in places], table[paper], 0.36, color=PAPER, label="paper, on ImageNet"
    )
    for offset, column in ((-0.19, ours), (0.19, paper)):
        for y, value in zip(places, table[column], strict=True):
            if pd.notna(value):
                axis.annotate(
                    f"{value:.1f}", (value, y + offset), (3, 0),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
    axis.set_xlabel(f"{name} error (%)")
    axis.set_xlim(0, max(100, axis.get_xlim()[1]))
    axis.spines[["top", "right"]].set_visible(False)


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)
