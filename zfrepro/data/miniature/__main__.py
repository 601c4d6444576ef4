"""Renders a miniature world and shows it: `python -m zfrepro.data.miniature --help`."""

import argparse
import sys
import warnings
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from zfrepro import outputs
from zfrepro.cores import cores
from zfrepro.data.miniature.writer import render
from zfrepro.files import LockedError, atomic_path, reason

CELL = 96  # pixels
CAPTION = 14  # pixels
IMAGES = 8  # of each class
ROW_WIDTH = IMAGES * CELL


def main() -> None:
    try:
        run(_parser().parse_args())
    except (OSError, ValueError, LockedError) as error:
        sys.exit(f"error: {reason(error)}")


def run(arguments: argparse.Namespace) -> None:
    if arguments.contact_sheet:
        outputs.check(arguments.contact_sheet)
    render(
        arguments.out,
        seed=arguments.seed,
        classes=arguments.classes,
        train_images=arguments.train_images,
        val_images=arguments.val_images,
        image_size=arguments.image_size,
        workers=arguments.workers,
    )
    if arguments.contact_sheet:
        sheet = contact_sheet(arguments.out)
        with atomic_path(arguments.contact_sheet) as temporary:
            mark = PngInfo()
            mark.add_text("Software", outputs.MARK)
            sheet.save(temporary, "PNG", pnginfo=mark)


def contact_sheet(root: Path) -> Image.Image:
    """A few training images of each class under its name, in two columns of classes."""
    table = pq.read_table(root / "annotations" / "train.parquet", columns=["path", "wnid", "name"])
    classes = list(table.to_pandas().groupby("wnid"))
    rows = -(-len(classes) // 2)
    sheet = Image.new("RGB", (2 * ROW_WIDTH + CELL // 4, rows * (CELL + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (wnid, images) in enumerate(classes):
        left, top = place // rows * (ROW_WIDTH + CELL // 4), place % rows * (CELL + CAPTION)
        draw.text((left + 2, top + 1), f"{wnid}  {images['name'].iloc[0]}", fill="black")
        for column, path in enumerate(images["path"].head(IMAGES)):
            sheet.paste(_thumbnail(root / path), (left + column * CELL, top + CAPTION))
    return sheet


def _thumbnail(path: Path) -> Image.Image:
    """The largest central square of an image."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Corrupt EXIF")  # one such image is planted
        with Image.open(path) as image:
            whole = image.convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    return whole.resize(
        (CELL, CELL), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zfrepro.data.miniature",
        description="Renders a miniature world in the layout of ImageNet 2012.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="root of the image tree")
    parser.add_argument("--contact-sheet", type=Path, help="PNG with a few images per class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--train-images", type=int, default=3000, help="over all classes")
    parser.add_argument("--val-images", type=int, default=1000, help="over all classes")
    parser.add_argument("--image-size", type=int, default=64, help="smallest short side in pixels")
    parser.add_argument("--workers", type=int, default=cores(), help="processes")
    return parser


if __name__ == "__main__":
    main()
