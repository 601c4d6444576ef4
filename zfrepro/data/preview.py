"""A contact sheet of a prepared set: what the network will see, class by class."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zfrepro.data.store import PreparedSet, Split
from zfrepro.files import atomic_path

CLASSES = 40  # shown at most, spread over all
IMAGES = 6  # of each class
CELL, CAPTION, GAP = 96, 18, 10  # pixels
FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # has many alphabets


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Writes `preview.png` into the folder of a prepared set."""
    with atomic_path(folder / "preview.png") as temporary:
        contact_sheet(PreparedSet(folder, manifest)).save(temporary, "PNG")


def contact_sheet(prepared: PreparedSet) -> Image.Image:
    """Two classes a line, each with its name and the first images of the first split."""
    split = prepared.split(next(iter(prepared.manifest["splits"])))
    count = min(len(prepared.classes), CLASSES)
    shown = np.linspace(0, len(prepared.classes) - 1, count).round().astype(int)
    width, height = IMAGES * CELL + GAP, CAPTION + CELL + GAP
    sheet = Image.new("RGB", (2 * width + GAP, -(-count // 2) * height + GAP), "white")
    for position, label in enumerate(shown.tolist()):
        left, top = GAP + position % 2 * width, GAP + position // 2 * height
        sheet.paste(_strip(split, label, prepared.classes[label]), (left, top))
    return sheet


def _strip(split: Split, label: int, names: tuple[str, str]) -> Image.Image:
    strip = Image.new("RGB", (IMAGES * CELL, CAPTION + CELL), "white")
    id_, name = names
    caption = name if name == id_ else f"{name}  ({id_})"
    font = ImageFont.truetype(str(FONT), 12)
    ImageDraw.Draw(strip).text((0, 1), caption, fill="black", font=font)
    for position, i in enumerate(np.flatnonzero(split.labels == label)[:IMAGES].tolist()):
        image = Image.fromarray(split[i]).resize((CELL, CELL), Image.Resampling.BICUBIC)
        strip.paste(image, (position * CELL, CAPTION))
    return strip
