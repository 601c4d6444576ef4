"""Figure 6: what the first two layers look like, and numbers for what the eye sees there.

Claims of the paper (section 4.1): without clipping, one filter of layer 1 dominates; filters of
11x11 at stride 4 are a mix of extremely high and low frequencies, hardly any in the middle, with
dead features among them, and alias in layer 2; filters of 7x7 at stride 2 do so less.

Frequencies are in cycles per pixel, spectra those of filters and pictures with zeros around them,
so that sizes compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

FINE = 128  # points of a spectrum along each axis: far finer than what 11 pixels tell apart
BLANK = 0.1  # of the median filter's root mean square: below, a filter shows nothing
DEAD = 0.05  # of the median map's peak: below, a map tells nothing of any image


@dataclass(frozen=True)
class Bands:
    """Edges between low, middle and high frequencies."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < 0.5:
            raise ValueError(
                f"bands {self.low} and {self.high}: two frequencies between 0 and 0.5 cycles per "
                "pixel, the smaller first"
            )


def filter_table(filters: npt.ArrayLike, stride: int, bands: Bands) -> pd.DataFrame:
    """A row for each filter (maps, C, k, k) of a layer of this stride.

    Columns: `rms`; `low`, `middle` and `high`, shares of its energy by distance from frequency 0;
    `aliased`, the share at frequencies that maps sampled at this stride cannot hold. The shares of
    a filter that is 0 are NaN.
    """
    weights = np.asarray(filters, dtype=np.float64)
    power = (np.abs(np.fft.fft2(weights, (FINE, FINE))) ** 2).sum(1)  # (maps, FINE, FINE)
    down, across = np.meshgrid(*[np.abs(np.fft.fftfreq(FINE))] * 2, indexing="ij")
    radius = np.hypot(down, across)
    parts = {
        "low": radius < bands.low,
        "middle": (radius >= bands.low) & (radius < bands.high),
        "high": radius >= bands.high,
        "aliased": np.maximum(down, across) > 0.5 / stride,
    }
    total = power.sum((1, 2))
    whole = np.where(total > 0, total, np.nan)
    shares = {name: power[:, part].sum(1) / whole for name, part in parts.items()}
    return pd.DataFrame({"rms": np.sqrt((weights**2).mean((1, 2, 3))), **shares})


def summary(filters: pd.DataFrame) -> dict[str, float]:
    """One number for each of what the eye sees in a layer's filters.

    Args:
        filters: the rows of `filter_table`.

    Returns:
        `dominance`, the largest filter's root mean square over the median's; `largest_share` of the
        layer's energy; `blank`, the share of filters below `BLANK`; and the mean shares of energy
        of the others.
    """
    rms = filters["rms"].to_numpy()
    seen = rms >= BLANK * np.median(rms)
    return {
        "dominance": float(rms.max() / np.median(rms)),
        "largest_share": float(rms.max() ** 2 / (rms**2).sum()),
        "blank": float(1 - seen.mean()),
        **{
            name: float(filters.loc[seen, name].mean())
            for name in ("low", "middle", "high", "aliased")
        },
    }


def dead(table: pd.DataFrame, layer: str, maps: int) -> float:
    """Share of a layer's maps whose peak over all images is nothing beside the median map's.

    Args:
        table: of `top_activations.collect`, where a map that never fires has no row.
        maps: how many the layer has.
    """
    peaks = np.zeros(maps)
    first = table[(table["layer"] == layer) & (table["rank"] == 1)]
    peaks[first["map"].to_numpy()] = first["value"].to_numpy()
    return float((peaks <= DEAD * np.median(peaks)).mean())


def spectrum(pictures: npt.ArrayLike) -> Floats:
    """Mean power of pictures (K, C, h, w) along rows and columns, at `frequencies()`.

    Each picture counts the same, whatever its contrast; one that is constant not at all. A Hann
    window keeps the picture's edges out of it.
    """
    values = np.asarray(pictures, dtype=np.float64)
    values = values - values.mean((2, 3), keepdims=True)
    found: list[Floats] = []
    for lines in (values, values.swapaxes(2, 3)):
        power = np.abs(np.fft.rfft(lines * np.hanning(lines.shape[3]), 2 * FINE)) ** 2
        each = power.mean((1, 2))  # (K, frequencies)
        total = each.sum(1)
        found += [each[total > 0] / total[total > 0, None]]
    whole = np.concatenate(found)
    mean: Floats = whole.mean(0) if len(whole) else np.full(FINE + 1, np.nan)
    return mean


def frequencies() -> Floats:
    """Where `spectrum` has its values: 0 to 0.5, in cycles per pixel."""
    found: Floats = np.fft.rfftfreq(2 * FINE).astype(np.float64)
    return found


def grid_excess(power: Floats, stride: int, side: int) -> float:
    """How much the grid of a stride stands out of a spectrum.

    The power at the multiples of 1 / `stride` over that on both sides of each, as geometric means,
    since spectra fall by powers; 1 where pictures do not show the grid.

    Args:
        power: of `spectrum`, of pictures `side` pixels wide.

    Raises:
        ValueError: a stride of 1 leaves no grid.
    """
    if stride < 2:
        raise ValueError(f"a stride of {stride} leaves no grid in the pixels")
    at, logs, resolution = frequencies(), np.log(power), 1 / side
    excess = []
    for tooth in np.arange(1, stride // 2 + 1) / stride:
        away = np.abs(at - tooth)
        on, beside = away <= resolution, (away > 2 * resolution) & (away <= 4 * resolution)
        excess.append(logs[on].mean() - logs[beside].mean())
    return float(np.exp(np.mean(excess)))


def fine_share(power: Floats, bands: Bands) -> float:
    """Share of a spectrum's power at high frequencies."""
    return float(power[frequencies() >= bands.high].sum() / power.sum())
