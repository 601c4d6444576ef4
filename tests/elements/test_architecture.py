"""Figure 6's measures against sums written out, and on pictures whose frequencies are known."""

import cmath
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zfrepro.elements.architecture import measure as architecture
from zfrepro.elements.architecture import plot as drawing
from zfrepro.elements.architecture.measure import FINE, Bands

BANDS = Bands(0.1, 0.25)


def wave(frequency: float, side: int) -> np.ndarray:
    """A filter (1, 3, side, side) of vertical stripes."""
    stripes = np.cos(2 * np.pi * frequency * np.arange(side))
    return np.broadcast_to(stripes, (1, 3, side, side)).copy()


def slow_shares(weights: np.ndarray, stride: int) -> dict[str, float]:
    """The shares of one filter (k, k), by the definition of the Fourier transform."""
    shares = dict.fromkeys(("low", "middle", "high", "aliased"), 0.0)
    total = 0.0
    steps = [(i - FINE // 2) / FINE for i in range(FINE)]
    for v in steps:
        for h in steps:
            value = sum(
                weights[y, x] * cmath.exp(-2j * cmath.pi * (v * y + h * x))
                for y in range(weights.shape[0])
                for x in range(weights.shape[1])
            )
            power = abs(value) ** 2
            total += power
            radius = (v * v + h * h) ** 0.5
            band = "low" if radius < 0.1 else "middle" if radius < 0.25 else "high"
            shares[band] += power
            shares["aliased"] += power * (max(abs(v), abs(h)) > 0.5 / stride)
    return {name: share / total for name, share in shares.items()}


def test_shares_of_energy_are_those_of_the_fourier_sum() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 1, 3, 3))
    found = architecture.filter_table(weights, 4, BANDS).iloc[0]
    assert found["rms"] == pytest.approx(((weights**2).sum() / 9) ** 0.5)
    for name, share in slow_shares(weights[0, 0], 4).items():
        assert found[name] == pytest.approx(share, rel=1e-9), name


@pytest.mark.parametrize(
    ("frequency", "band"), [(0.0, "low"), (0.17, "middle"), (0.4, "high")]
)  # fmt: skip
def test_stripes_lie_in_their_band(frequency: float, band: str) -> None:
    row = architecture.filter_table(wave(frequency, 31), 2, BANDS).iloc[0]
    assert row[band] > 0.85
    assert row[["low", "middle", "high"]].sum() == pytest.approx(1)


def test_a_stride_aliases_what_lies_above_half_its_frequency() -> None:
    stripes = wave(0.2, 31)
    of_stride = [architecture.filter_table(stripes, s, BANDS)["aliased"][0] for s in (1, 2, 4)]
    assert of_stride[0] == 0
    assert of_stride[1] < 0.1
    assert of_stride[2] > 0.9


def test_a_summary_counts_filters() -> None:
    """Root mean squares of 1, 1, 4 and 0.05: the median is 1, and the last one is blank."""
    sizes = np.array([1, 1, 4, 0.05])
    filters = wave(0.0, 3) * sizes[:, None, None, None]
    found = architecture.summary(architecture.filter_table(filters, 2, BANDS))
    assert found["dominance"] == pytest.approx(4)
    assert found["largest_share"] == pytest.approx(16 / (1 + 1 + 16 + 0.0025))
    assert found["blank"] == 0.25
    assert found["low"] + found["middle"] + found["high"] == pytest.approx(1)


def test_a_filter_of_zeros_is_blank_and_spoils_no_mean() -> None:
    filters = np.concatenate([wave(0.0, 5), 2 * wave(0.0, 5), np.zeros((1, 3, 5, 5))])
    table = architecture.filter_table(filters, 2, BANDS)
    assert table["low"].isna().tolist() == [False, False, True]
    found = architecture.summary(table)
    assert found["blank"] == pytest.approx(1 / 3)
    assert np.isfinite(found["low"])


def test_a_map_is_dead_that_never_fires_or_hardly() -> None:
    """Peaks of 10, 10, 8, 0.4 and none, of six maps: two are below a twentieth of the median 9."""
    table = pd.DataFrame({
        "layer": ["conv1"] * 6 + ["conv2"],
        "map": [0, 1, 2, 3, 5, 0, 4],
        "rank": [1, 1, 1, 1, 1, 2, 1],
        "value": [10.0, 10.0, 8.0, 0.4, 10.0, 9.0, 5.0],
    })  # fmt: skip
    assert architecture.dead(table, "conv1", 6) == pytest.approx(2 / 6)


def test_a_grid_stands_out_of_its_spectrum() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(40, 3, 48, 48))
    grid = np.zeros(48)
    grid[::4] = 4
    excess = [
        architecture.grid_excess(architecture.spectrum(pictures), 4, 48)
        for pictures in (noise, noise + grid, noise + grid[:, None])
    ]
    assert excess[0] == pytest.approx(1, abs=0.1)
    assert min(excess[1:]) > 3


def test_a_spectrum_gives_each_picture_one_voice() -> None:
    ones = np.concatenate([wave(0.1, 32), wave(0.3, 32)])
    loud = ones * np.array([100, 1])[:, None, None, None]
    constant = np.concatenate([ones, np.full((1, 3, 32, 32), 7.0)])
    for pictures in (loud, constant):
        np.testing.assert_allclose(
            architecture.spectrum(pictures), architecture.spectrum(ones), rtol=1e-9, atol=1e-15
        )
    assert architecture.spectrum(ones).sum() == pytest.approx(1)
    assert len(architecture.frequencies()) == len(architecture.spectrum(ones))


def test_wrong_use_is_named() -> None:
    with pytest.raises(ValueError, match="a stride of 1 leaves no grid"):
        architecture.grid_excess(architecture.spectrum(wave(0.1, 16)), 1, 16)
    with pytest.raises(ValueError, match=r"two frequencies between 0 and 0\.5"):
        Bands(0.3, 0.2)


def test_one_contrast_shows_what_dominates_and_several_what_is_there() -> None:
    filters = (wave(0.3, 5) * np.array([1, 0.01])[:, None, None, None]).astype(np.float32)
    together, apart = (drawing.filters(filters, together=t) for t in (True, False))
    half = together.shape[1] // 2
    assert np.ptp(together[:, : half - 4]) > 0.9
    assert np.ptp(together[:, half + 4 :]) < 0.02
    assert np.ptp(apart[:, half + 4 :]) > 0.9


def test_the_figure_has_its_five_panels(tmp_path: Path) -> None:
    grey = np.full((40, 40, 3), 0.5, dtype=np.float32)
    drawing.draw({f"({letter})": grey for letter in "abcde"}, tmp_path / "figure")
    with Image.open(tmp_path / "figure.png") as picture:
        greys = np.asarray(picture.convert("L"))
    panels = (np.abs(greys.astype(int) - 127) < 3).sum()
    assert panels > 0.5 * greys.size
    assert (tmp_path / "figure.pdf").read_bytes() == _drawn_again(tmp_path, grey)


def _drawn_again(folder: Path, grey: np.ndarray) -> bytes:
    """The same figure is the same file, so that nothing made from it is made anew."""
    drawing.draw({f"({letter})": grey for letter in "abcde"}, folder / "again")
    return (folder / "again.pdf").read_bytes()
