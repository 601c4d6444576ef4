"""Tables as files: CSV for programs, Markdown for people, a picture for both."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from zfrepro.files import atomic_path, atomic_write
from zfrepro.render.style import OURS, PAPER, plt


def write(
    table: pd.DataFrame, path: Path, readable: pd.DataFrame | None = None, note: str = ""
) -> None:
    """Writes `path` (.csv) and Markdown beside it (.md): the same table, or `readable`.

    `note` stands below the Markdown.
    """
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4g")
    text = markdown(table if readable is None else readable)
    atomic_write(path.with_suffix(".md"), f"{text}\n{note}\n" if note else text)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; numbers with one decimal, empty cells where there is no value."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def bars(
    table: pd.DataFrame,
    path: Path,
    *,
    label: str,
    pairs: dict[str, tuple[str, str]],
    title: str,
    measure: str = "error",
    paper: str = "paper, on ImageNet",
) -> None:
    """Horizontal bars, ours and the paper's number for each row.

    Args:
        label: the column that names the rows.
        pairs: name of a number to the columns of ours and of the paper's; one panel each. Where
            ours has columns `<ours>_low` and `<ours>_high`, they are drawn as an interval.
        measure: what the numbers are, in percent.
        paper: what the legend calls the paper's.
    """
    height = 0.6 + 0.55 * len(table)
    figure, axes = plt.subplots(
        1, len(pairs), figsize=(5.2 * len(pairs), height), sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    axes = axes[0]
    for axis, (name, columns) in zip(axes, pairs.items(), strict=True):
        _panel(axis, table, f"{name} {measure}".strip(), columns, paper)
    axes[0].set_yticks(range(len(table)), table[label])
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    plt.close(figure)


def _panel(
    axis: Axes, table: pd.DataFrame, name: str, columns: tuple[str, str], legend: str
) -> None:
    (ours, paper), places = columns, range(len(table))
    axis.barh([y - 0.19 for y in places], table[ours], 0.36, color=OURS, label="here")
    if table[paper].notna().any():
        axis.barh([y + 0.19 for y in places], table[paper], 0.36, color=PAPER, label=legend)
    ends = {ours: _draw_interval(axis, table, ours), paper: table[paper]}
    for offset, column in ((-0.19, ours), (0.19, paper)):
        for y, value, end in zip(places, table[column], ends[column], strict=True):
            if pd.notna(value):
                axis.annotate(
                    f"{value:.1f}", (end, y + offset), (3, 0),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
    axis.set_xlabel(f"{name} (%)")
    axis.set_xlim(0, max(100, axis.get_xlim()[1]))
    axis.spines[["top", "right"]].set_visible(False)


def _draw_interval(axis: Axes, table: pd.DataFrame, column: str) -> "pd.Series[float]":
    """Draws the column's intervals where it has some; returns where each bar's ink ends."""
    if f"{column}_low" not in table:
        return table[column]
    places = [y - 0.19 for y in range(len(table))]
    low, high = table[f"{column}_low"], table[f"{column}_high"]
    axis.hlines(places, low, high, color="black", linewidth=1, label="95 % interval")
    return high


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    return " ".join(str(value).split()).replace("|", "\\|")
