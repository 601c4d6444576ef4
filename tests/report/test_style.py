"""Letters that matplotlib takes for formulas, and those that a terminal lacks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.run_folders import epochs, run_config
from zfrepro.elements.architecture import plot as architecture
from zfrepro.render import style
from zfrepro.render.style import plt
from zfrepro.tracking.curves import draw

NAME = r"costs $\nothing and 5$ more_{"  # no formula that matplotlib can read


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(style, "_formats", ("png",))
    return tmp_path


def test_a_dollar_in_a_name_is_a_letter(here: Path) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2], label=NAME)
    axes.set(title=NAME, xlabel=NAME)
    axes.set_xticks([0, 1], [NAME, NAME])
    axes.legend()
    style.save(figure, here / "picture.png")
    draw(run_config({}, NAME), epochs(), here / "curves.png")
    for name in ("picture.png", "curves.png"):
        with Image.open(here / name) as picture:
            assert picture.width > 100


def test_logarithmic_axes_are_labelled_without_formulas() -> None:
    figure, axis = plt.subplots()
    architecture._draw_sizes(axis, {kind: np.geomspace(1e-3, 1, 9) for kind in architecture.LOOKS})
    figure.canvas.draw()
    labels = [label.get_text() for label in axis.get_yticklabels(which="both")]
    assert "0.01" in labels
    assert not any("$" in label for label in labels)


def test_a_terminal_without_the_letters_is_no_reason_to_stop() -> None:
    program = "import zfrepro; print('✓ reproduced, größer')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "? reproduced, gr??er\n")


@pytest.mark.parametrize("title", ["tab3_zfnet: what excites it", ""])
def test_a_caution_stands_in_the_title_of_every_figure(
    title: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "_cautions", [])
    for _ in range(2):
        style.caution("tab3_zfnet is no better than chance")
    figure = plt.figure()
    if title:
        figure.suptitle(title, fontsize=9)
    style.save(figure, here / "figure")
    assert figure.get_suptitle() == f"{title}\ntab3_zfnet is no better than chance".strip()
    assert (here / "figure.png").is_file()
    monkeypatch.setattr(style, "_cautions", [])
    plain = plt.figure()
    style.save(plain, here / "plain")
    assert not plain.get_suptitle()
