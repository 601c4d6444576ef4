"""docs/library.md runs as it stands there, and shows the picture that it makes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zfrepro.config import ROOT

PAGE = ROOT / "docs" / "library.md"


def test_every_block_runs_and_makes_the_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docs", "zfrepro"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)  # noqa: S102  the project's own page
    made, kept = (
        np.asarray(Image.open(path).convert("RGB"), np.float32)
        for path in (tmp_path / "projection.png", PAGE.with_name("library_projection.png"))
    )
    assert made.shape == kept.shape
    assert np.abs(made - kept).mean() < 1
    assert "('clownfish', 0.3" in capsys.readouterr().out
