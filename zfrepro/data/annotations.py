"""Where things are in the images: boxes and landmarks, from raw pixels to those of the crop.

Coordinates are (x, y) from the top left corner of an image, in pixels: the first pixel's centre is
(0.5, 0.5). A prepared set keeps those of raw images in annotations/<split>.parquet, with columns
path, width, height, box (left, top, right, bottom) and landmarks (of each name x and y); a user
gives those of landmarks as CSV.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zfrepro.data.decode import LONGEST
from zfrepro.data.listing import read_csv


class AnnotationError(ValueError):
    """Ground truth that cannot be read, or that does not fit its image; says where."""


class Point(NamedTuple):
    x: float
    y: float

    def inside(self, width: float, height: float) -> bool:
        return 0 <= self.x < width and 0 <= self.y < height


class Box(NamedTuple):
    """Columns [left, right) and rows [top, bottom)."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Annotation:
    """What is known of a raw image; no box and no landmarks where there are none."""

    width: int
    height: int
    box: Box | None
    landmarks: Mapping[str, Point]


@dataclass(frozen=True)
class Placement:
    """The way of a raw image's points into its crop: x * scale.x + shift.x, and the same for y."""

    scale: Point
    shift: Point
    crop: int

    @classmethod
    def of(cls, width: int, height: int, image_size: int, crop: int) -> Self:
        """What `decode.fit` to `image_size` and the central crop do to an image of this size."""
        short = min(width, height)
        kept = [min(side, LONGEST * short) for side in (width, height)]
        cut = [(side - inner) // 2 for side, inner in zip((width, height), kept, strict=True)]
        scaled = [int(image_size * inner / short) for inner in kept]
        scale = [after / before for after, before in zip(scaled, kept, strict=True)]
        margin = (image_size - crop) // 2
        shift = [
            -before * factor - round((after - image_size) / 2) - margin
            for before, factor, after in zip(cut, scale, scaled, strict=True)
        ]
        return cls(Point(*scale), Point(*shift), crop)

    def point(self, point: Point) -> Point:
        return Point(point.x * self.scale.x + self.shift.x, point.y * self.scale.y + self.shift.y)

    def box(self, box: Box) -> Box | None:
        """The part of a box that the crop shows; None where it shows nothing of it."""
        left, top = self.point(Point(box.left, box.top))
        right, bottom = self.point(Point(box.right, box.bottom))
        shown = Box(max(left, 0.0), max(top, 0.0), min(right, self.crop), min(bottom, self.crop))
        return shown if shown.left < shown.right and shown.top < shown.bottom else None

    def landmarks(self, landmarks: Mapping[str, Point]) -> dict[str, Point]:
        """All of them in the crop; empty where one of them is cut off, or there are none."""
        mapped = {name: self.point(point) for name, point in landmarks.items()}
        shown = all(point.inside(self.crop, self.crop) for point in mapped.values())
        return mapped if shown else {}


def of_images(prepared: Path, split: str, paths: Sequence[str]) -> list[Annotation] | None:
    """What is known of a split's images of these paths; None where the set has no annotations.

    Raises:
        AnnotationError: an image of which the annotations say nothing.
    """
    file = prepared / "annotations" / f"{split}.parquet"
    if not file.is_file():
        return None
    table = pq.read_table(file, columns=["path", "width", "height", "box", "landmarks"])
    places = pc.index_in(pa.array(paths, pa.string()), table["path"].combine_chunks())
    if places.null_count:
        missing = paths[places.is_null().to_pylist().index(True)]
        raise AnnotationError(f"{file} says nothing of {missing}")
    return [_annotation(row) for row in table.take(places).to_pylist()]


def _annotation(row: Mapping[str, Any]) -> Annotation:
    landmarks = {
        name: Point(at["x"], at["y"]) for name, at in (row["landmarks"] or {}).items() if at
    }
    box = row["box"] and Box(*(row["box"][side] for side in Box._fields))
    return Annotation(row["width"], row["height"], box, landmarks)


def in_crop(
    landmarks: Mapping[str, Point], width: int, height: int, image_size: int, crop: int, path: Path
) -> dict[str, Point]:
    """The landmarks of a picture (width, height) in its crop.

    Raises:
        AnnotationError: one of them lies outside the picture, or outside its crop.
    """
    placement = Placement.of(width, height, image_size, crop)
    found = {}
    for name, point in landmarks.items():
        at = f"{path}: {name} at ({point.x:g}, {point.y:g})"
        if not point.inside(width, height):
            raise AnnotationError(f"{at} lies outside the picture of {width} x {height} pixels")
        found[name] = placement.point(point)
        if not found[name].inside(crop, crop):
            raise AnnotationError(
                f"{at} is cut off: of the shorter side's {image_size} pixels the network sees the "
                f"central {crop} x {crop}; crop the picture about its object"
            )
    return found


def read_landmarks(file: Path) -> dict[Path, dict[str, Point]]:
    """The landmarks of a user's images: a CSV with a line an image.

    Its columns are `image`, a path from the CSV's folder, and of each landmark <name>_x and
    <name>_y, in pixels of that image:

        image,right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y
        dogs/rex.jpg,101.5,88,160,90,130,141.5

    Raises:
        SourceError: no such file, or no CSV.
        AnnotationError: no line, no landmark, a column without its partner, or no number.
    """
    columns, rows = read_csv(file)
    names = _names(file, columns)
    found: dict[Path, dict[str, Point]] = {}
    for number, row in rows:
        line, image = f"{file}, line {number}", file.parent / (row["image"] or "")
        if image in found:
            raise AnnotationError(f"{line}: {image} stands there twice")
        found[image] = {
            name: Point(*(_number(row, f"{name}_{axis}", line) for axis in "xy")) for name in names
        }
    if not found:
        raise AnnotationError(f"{file} holds no landmarks: a line an image is missing")
    return found


def _names(file: Path, columns: Sequence[str]) -> list[str]:
    wanted = "it needs `image`, and of each landmark <name>_x and <name>_y"
    if not columns:
        raise AnnotationError(f"{file} is empty: {wanted}")
    names = [column.removesuffix("_x") for column in columns if column.endswith("_x")]
    expected = {"image", *(f"{name}_{axis}" for name in names for axis in "xy")}
    if not names or expected != set(columns):
        raise AnnotationError(f"{file} has the columns {', '.join(columns)}: {wanted}")
    return names


def _number(row: Mapping[str, str | None], column: str, line: str) -> float:
    try:
        return float(row[column] or "")
    except ValueError:
        raise AnnotationError(f"{line}: {column} is {row[column]!r}, no number") from None
