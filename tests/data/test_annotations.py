"""Points and boxes come to where preparation and crop put what they mark."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.project import Project
from zfrepro.data import annotations, decode
from zfrepro.data.annotations import AnnotationError, Box, Placement, Point
from zfrepro.data.listing import SourceError
from zfrepro.data.store import PreparedSet

HEADER = "image,nose_x,nose_y\n"


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (97, 81), (81, 97), (300, 100), (33, 40), (1000, 90)]
)
def test_a_bright_square_lies_where_its_centre_is_mapped(width: int, height: int) -> None:
    """Against `decode.fit` itself: a blob of light, and its centre of gravity afterwards."""
    size, crop = 64, 56
    scale = min(width, height) / size
    x, y = width / 2 + 12 * scale, height / 2 - 9 * scale
    across, down = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    blob = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * (3 * scale) ** 2))
    raw = np.repeat((255 * blob).astype(np.uint8)[:, :, None], 3, axis=2)
    prepared = np.asarray(decode.fit(Image.fromarray(raw), size, "bilinear"))[:, :, 0]
    light = prepared[4:60, 4:60].astype(float)
    centres = np.arange(crop) + 0.5
    seen = (light.sum(0) @ centres / light.sum(), light.sum(1) @ centres / light.sum())
    mapped = Placement.of(width, height, size, crop).point(Point(x, y))
    np.testing.assert_allclose(mapped, seen, atol=0.06)


def test_a_box_is_cut_at_the_crop() -> None:
    mapping = Placement.of(128, 128, 64, 56)  # halved, then 4 pixels less on each side
    assert mapping.box(Box(20, 0, 60, 128)) == Box(6, 0, 26, 56)
    assert mapping.box(Box(0, 0, 8, 128)) is None


def test_landmarks_are_all_in_the_crop_or_none() -> None:
    mapping = Placement.of(128, 128, 64, 56)
    nose, ear = Point(64, 64), Point(4, 64)
    assert mapping.landmarks({"nose": nose}) == {"nose": Point(28, 28)}
    assert mapping.landmarks({"nose": nose, "ear": ear}) == {}


def test_the_miniature_knows_its_faces(prepared_project: Project) -> None:
    prepared = PreparedSet.open(prepared_project.root / "results" / "prepared" / "source")
    split = prepared.split("val")
    numbers = [7, 3, 12]
    found = annotations.of_images(prepared.folder, "val", split.paths_of(numbers))
    assert found is not None
    every = annotations.of_images(prepared.folder, "val", split.paths)
    assert every is not None
    assert found == [every[number] for number in numbers]
    faces = {i for i, each in enumerate(every) if each.landmarks}
    kinds = {prepared.classes[split.labels[i]][1].split(",")[0] for i in faces}
    assert kinds == {"tabby cat", "horned owl", "bear", "cow", "leopard", "fox", "rabbit"}
    for i in faces:
        places = every[i].landmarks
        assert set(places) == {"right_eye", "left_eye", "nose"}
        assert places["right_eye"].x < places["left_eye"].x
        box = every[i].box
        assert box is not None
        assert all(box.left <= p.x < box.right and box.top <= p.y < box.bottom
                   for p in places.values())  # fmt: skip


def test_a_set_without_annotations_has_none(tmp_path: Path) -> None:
    assert annotations.of_images(tmp_path, "val", ["a.jpg"]) is None


def test_a_csv_gives_points_beside_it(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "image,eye_x,eye_y,nose_x,nose_y\na.jpg,1,2.5,3,4\nb/c.png,5,6,7,8\n"
    )
    found = annotations.read_landmarks(tmp_path / "l.csv")
    assert found == {
        tmp_path / "a.jpg": {"eye": Point(1, 2.5), "nose": Point(3, 4)},
        tmp_path / "b/c.png": {"eye": Point(5, 6), "nose": Point(7, 8)},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("image,nose_x,nose_y\n" + "a" * 200_000, r"l\.csv, line 1: no CSV"),
        (HEADER, "holds no landmarks"),
        ("image\na.jpg\n", "it needs `image`"),
        ("image,nose_x\na.jpg,1\n", "has the columns image, nose_x"),
        ("image,nose_x,nose_y\na.jpg,1,\n", r"line 2: nose_y is '', no number"),
        (HEADER + "a.jpg,1,2\na.jpg,1,2\n", "line 3: .*a.jpg stands there twice"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises((AnnotationError, SourceError), match=message):
        annotations.read_landmarks(tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("point", "message"),
    [(Point(128, 5), "outside the picture of 128 x 128"), (Point(2, 64), "cut off")],
)
def test_a_landmark_that_is_not_seen_is_named(point: Point, message: str) -> None:
    with pytest.raises(AnnotationError, match=f"a.jpg: nose at .*{message}"):
        annotations.in_crop({"nose": point}, 128, 128, 64, 56, Path("a.jpg"))
