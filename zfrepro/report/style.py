"""How every picture looks and is saved: without a screen, in ours and the paper's colours."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from zfrepro.files import atomic_path

mpl.use("Agg")  # stages have no screen

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

PAPER, OURS = "#9aa5b1", "#1f5fa8"
OPTIONS: dict[str, dict[str, Any]] = {
    # matplotlib's own level takes three times as long for a file 15 % smaller
    "png": {"pil_kwargs": {"compress_level": 1}},
    "pdf": {"metadata": {"CreationDate": None}},  # the same figure, the same file
}
FORMATS = tuple(OPTIONS)
DPI = 220

__all__ = ["DPI", "FORMATS", "OURS", "PAPER", "plt", "save", "set_resolution"]


def set_resolution(dpi: int) -> None:
    """Of the figures that `save` writes from now on, in pixels an inch; `DPI` until then."""
    plt.rcParams["savefig.dpi"] = dpi


set_resolution(DPI)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure to `path` with each suffix of `FORMATS`, and closes it."""
    for suffix in FORMATS:
        with atomic_path(path.with_suffix(f".{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, **OPTIONS[suffix])
        figure.set_layout_engine("none")  # what was found holds for the next format too
    plt.close(figure)
