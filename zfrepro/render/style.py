"""How every picture looks and is saved: without a screen, in ours and the paper's colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from zfrepro.files import atomic_path
from zfrepro.outputs import MARK

mpl.use("Agg")  # stages have no screen

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

PAPER, OURS = "#9aa5b1", "#1f5fa8"
OPTIONS: dict[str, dict[str, Any]] = {
    # matplotlib's own level takes three times as long for a file 15 % smaller
    "png": {"metadata": {"Software": MARK}, "pil_kwargs": {"compress_level": 1}},
    # without a date: the same figure, the same file
    "pdf": {"metadata": {"Creator": MARK, "CreationDate": None}},
}
DPI = 220

__all__ = [
    "DPI", "OURS", "PAPER", "add_cautions", "caution", "cautions", "log_scale", "plt", "save",
    "set_output",
]  # fmt: skip

plt.rcParams["savefig.dpi"] = DPI
plt.rcParams["text.parse_math"] = False  # a `$` in the name of a class is a letter
_formats = tuple(OPTIONS)
_cautions: list[str] = []


def set_output(dpi: int, formats: Sequence[str]) -> None:
    """How `save` writes figures from now on: pixels an inch, and suffixes of files.

    Until then `DPI`, as PNG and PDF.

    Raises:
        ValueError: a format that is neither.
    """
    global _formats  # noqa: PLW0603  as matplotlib keeps its own
    if unknown := set(formats) - OPTIONS.keys():
        raise ValueError(f"formats names {min(unknown)}; it can name {', '.join(OPTIONS)}")
    plt.rcParams["savefig.dpi"] = dpi
    _formats = tuple(formats)


def log_scale(axis: Axes) -> None:
    """A logarithmic y axis, labelled with plain numbers: matplotlib's own labels are formulas."""
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))


def caution(words: str) -> None:
    """Has `words` stand in the title of every figure from now on."""
    if words not in _cautions:
        _cautions.append(words)


def cautions() -> Sequence[str]:
    """What stands in the titles."""
    return tuple(_cautions)


def add_cautions(figure: Figure) -> None:
    """Puts what is to be said of every figure into the title of this one."""
    if not _cautions:
        return
    title = figure.get_suptitle()
    words = "\n".join([title, *_cautions]).strip()
    own = next((text for text in figure.texts if title and text.get_text() == title), None)
    if own is not None:
        own.set_text(words)
    else:
        figure.suptitle(words, fontsize="small")


def save(figure: Figure, path: Path) -> None:
    """Writes a figure to `path` with the suffix of each format, and closes it."""
    add_cautions(figure)
    for suffix in _formats:
        with atomic_path(path.with_suffix(f".{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, **OPTIONS[suffix])
        figure.set_layout_engine("none")  # what was found holds for the next format too
    plt.close(figure)
