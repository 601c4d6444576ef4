"""Arrays as the files that the page shows and offers: PNG, SVG, PDF and CSV."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from zfrepro.render import mosaic
from zfrepro.render.mosaic import Picture

GAP = 2  # pixels between the cells of a sprite


def png(picture: Picture) -> bytes:
    """A picture between 0 and 1, (h, w, 3) or (h, w); white where it is NaN."""
    pixels = np.nan_to_num(picture, nan=mosaic.WHITE).clip(0, 1)
    return encoded(Image.fromarray((pixels * 255).round().astype(np.uint8)))


def encoded(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)  # the least time: it stays on this machine
    return content.getvalue()


def figure(pictures: Sequence[Picture], titles: Sequence[str], kind: str) -> bytes:
    """Pictures in a row, as a figure for print: "svg" or "pdf"."""
    from zfrepro.render.style import OPTIONS, plt  # noqa: PLC0415  a second of matplotlib's

    drawn, axes = plt.subplots(
        1, len(pictures), figsize=(3.2 * len(pictures), 3.5), squeeze=False, layout="constrained"
    )
    for axis, picture, title in zip(axes[0], pictures, titles, strict=True):
        axis.set_axis_off()
        axis.imshow(np.nan_to_num(picture, nan=mosaic.WHITE).clip(0, 1), cmap="gray")
        axis.set_title(title, fontsize=8)
    content = io.BytesIO()
    drawn.savefig(content, format=kind, **OPTIONS.get(kind, {}))
    plt.close(drawn)
    return content.getvalue()


def table(values: npt.NDArray[np.float32], **fixed: object) -> str:
    """An array (h, w) or (h, w, 3) as CSV, a line a pixel."""
    height, width = values.shape[:2]
    rows, columns = np.divmod(np.arange(height * width), width)
    names = ["red", "green", "blue"] if values.ndim == 3 else ["value"]
    data = dict(zip(names, values.reshape(height * width, -1).T, strict=True))
    frame = pd.DataFrame({**fixed, "row": rows, "column": columns, **data})
    return str(frame.to_csv(index=False, float_format="%.6g"))


def heat(values: Picture, highest: float) -> Picture:
    """A map (h, w) of values from 0 on as greys: white is `highest`."""
    shown: Picture = (values / (highest or 1)).clip(0, 1).astype(np.float32)
    return shown


def sprite(cells: Sequence[Picture], columns: int) -> Picture:
    """Cells of one size (h, w, 3) in a grid, `GAP` pixels apart, in this order."""
    return mosaic.grid(cells, columns, gap=GAP)
