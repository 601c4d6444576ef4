"""One picture and its ground truth, and what it is painted with."""

from dataclasses import replace

import numpy as np
import pytest

from zfrepro.data.miniature import scene
from zfrepro.data.miniature.backdrop import Noise
from zfrepro.data.miniature.canvas import Box, Canvas, Frame, Light, box_of
from zfrepro.data.miniature.kinds import IMAGENET_LIKE, Kind
from zfrepro.data.miniature.palette import colour
from zfrepro.data.miniature.parts import PARTS
from zfrepro.data.miniature.shapes import SHAPES, coverage, reach
from zfrepro.data.miniature.textures import TEXTURES, Grain

FACES = [kind for kind in IMAGENET_LIKE if kind.view == "face"]
by_name = pytest.mark.parametrize("kind", IMAGENET_LIKE, ids=lambda kind: kind.name.split(",")[0])


@pytest.fixture(scope="module")
def noise():
    return Noise(0)


def draw(kind, noise, seed=0, size=64):
    return scene.picture(kind, np.random.default_rng(seed), noise, size)


def grid(side=41):
    line = np.linspace(-1.4, 1.4, side, dtype=np.float32)
    return np.broadcast_to(line, (side, side)), np.broadcast_to(line[:, None], (side, side))


def inside(box, x, y):
    return box.left <= x <= box.right and box.top <= y <= box.bottom


# the classes, as data


def test_there_are_at_least_twenty_classes_of_shared_shapes_and_textures():
    assert len({kind.wnid for kind in IMAGENET_LIKE}) == len(IMAGENET_LIKE) >= 20
    assert [kind.wnid for kind in IMAGENET_LIKE] == sorted(kind.wnid for kind in IMAGENET_LIKE)
    assert all(len(kind.wnid) == 9 and kind.wnid[0] == "n" for kind in IMAGENET_LIKE)
    recipes = {(kind.body, kind.parts) for kind in IMAGENET_LIKE}
    assert len(recipes) == len(IMAGENET_LIKE)


@by_name
def test_a_class_is_made_of_known_things(kind):
    assert kind.body in SHAPES
    assert {*kind.textures} <= {*TEXTURES}
    assert set(kind.parts) <= set(PARTS)
    assert all(part.shape in SHAPES for name in kind.parts for part in PARTS[name])


# a picture's ground truth


@by_name
def test_boxes_and_part_places_lie_in_the_image(kind, noise):
    for seed in range(8):
        drawn = draw(kind, noise, seed)
        height, width = drawn.pixels.shape[:2]
        boxes = [drawn.box, *(part.box for part in drawn.parts)]
        assert all(0 <= box.left < box.right <= width for box in boxes)
        assert all(0 <= box.top < box.bottom <= height for box in boxes)
        assert all(inside(part.box, part.x, part.y) for part in drawn.parts if part.name == "body")


@by_name
def test_the_object_changes_pixels_in_its_box_alone(kind, noise, monkeypatch):
    """Rendered with and without the object, the image differs inside the box and nowhere else."""
    monkeypatch.setattr(scene, "_shadow", lambda *_: None)
    whole = draw(kind, noise, seed=5)
    monkeypatch.setattr(Canvas, "paint", _covering_without_paint())
    empty = draw(kind, noise, seed=5)
    changed = np.abs(whole.pixels.astype(int) - empty.pixels).max(axis=2) > 40
    found, box = box_of(changed), whole.box
    assert found is not None
    assert empty.box == box
    assert inside(box, found.left, found.top)
    assert inside(box, found.right, found.bottom)
    assert changed[box.top : box.bottom, box.left : box.right].mean() > 0.15


def _covering_without_paint():
    """`Canvas.paint` that leaves the object's pixels as they are; clutter is painted."""
    original = Canvas.paint

    def paint(self, *shape_and_paint):
        before = self.pixels.copy()
        box = original(self, *shape_and_paint)
        is_clutter = len(shape_and_paint) == 5  # that alone gives an opacity
        if not is_clutter:
            self.pixels[:] = before
        return box

    return paint


@pytest.mark.parametrize("kind", FACES, ids=lambda kind: kind.name.split(",")[0])
def test_faces_have_their_landmarks_where_their_features_are(kind, noise):
    for seed in range(8):
        drawn = draw(kind, noise, seed, size=96)
        places = drawn.landmarks
        assert set(places) == {"right_eye", "left_eye", "nose"}
        boxes = {part.name: part.box for part in drawn.parts}
        for name, (x, y) in places.items():
            assert inside(boxes[name], x, y)
            assert inside(boxes["body"], x, y)
        assert places["right_eye"][0] < places["left_eye"][0]  # the creature's right
        eyes_level = (places["right_eye"][1] + places["left_eye"][1]) / 2
        assert places["nose"][1] > eyes_level


def test_pupils_are_dark_at_the_landmarks(noise):
    bear = next(kind for kind in FACES if kind.name == "bear")
    for seed in range(5):
        drawn = draw(bear, noise, seed, size=96)
        for x, y in drawn.landmarks.values():
            patch = drawn.pixels[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
            assert patch.min() < 90


def test_what_has_no_face_has_no_landmarks(noise):
    kite = next(kind for kind in IMAGENET_LIKE if kind.name == "kite")
    assert draw(kite, noise).landmarks == {}


def test_equal_generators_give_equal_pictures(noise):
    first, second = draw(IMAGENET_LIKE[0], noise, 9), draw(IMAGENET_LIKE[0], noise, 9)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (first.box, first.parts) == (second.box, second.parts)
    assert not np.array_equal(first.pixels, draw(IMAGENET_LIKE[0], noise, 10).pixels)


def test_any_recipe_of_known_parts_can_be_drawn(noise):
    """Other class lists are made of the same parts on other bodies."""
    for body in SHAPES:
        parts = ("horns", "eyes", "beak")
        kind = Kind("n1", "chimera", body, (0.9, 0.9), ("zigzag",), parts, 90, 0.5, "face")
        assert len(draw(kind, noise).parts) > 5


def test_sizes_follow_image_size(noise):
    shorts = [min(draw(IMAGENET_LIKE[0], noise, seed, 40).pixels.shape[:2]) for seed in range(30)]
    assert min(shorts) >= 40
    assert max(shorts) <= 64
    assert max(shorts) - min(shorts) > 12


# shapes and textures


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_fills_its_square_and_stays_near_it(name):
    x, y = grid(281)
    filled = SHAPES[name](x, y) < 0
    assert np.abs(x[filled]).max() <= 1.25
    assert np.abs(y[filled]).max() <= 1.25
    assert max(np.abs(x[filled]).max(), np.abs(y[filled]).max()) >= 0.9


@pytest.mark.parametrize("name", sorted(set(TEXTURES) - {"plain"}))
def test_a_texture_uses_both_colours(name):
    x, y = grid()
    disc = np.hypot(x, y) < 1
    for seed in range(5):
        values = TEXTURES[name](x, y, Grain.random(np.random.default_rng(seed), 0.5))
        assert values.shape == x.shape
        assert 0.1 < (values[disc] < 0).mean() < 0.9


def test_stripes_cross_what_bands_run_along():
    x, y = grid()
    grain = replace(Grain.random(np.random.default_rng(0), 0.5), phase=(0.3, 0.0))
    stripes, bands = TEXTURES["stripes"](x, y, grain), TEXTURES["bands"](x, y, grain)
    assert np.ptp(stripes, axis=1).min() > 1.5  # along a row
    np.testing.assert_allclose(stripes, bands.T, atol=1e-5)


def test_coverage_of_a_straight_edge():
    """An edge at x = 2.25 pixels leaves three quarters of the pixel about 2.5 outside."""
    centres = np.broadcast_to(np.arange(6, dtype=np.float32) + 0.5, (3, 6))
    covered = coverage(7 * (centres - 2.25))
    np.testing.assert_allclose(covered[1], [1, 1, 0.25, 0, 0, 0], atol=1e-5)


def test_reach_of_a_disc_is_its_radius():
    assert reach("disc", 0.5, 0.5, 77) == pytest.approx(0.5, abs=0.006)
    assert reach("disc", 1.0, 0.5, 0) == pytest.approx(0.5, abs=0.006)
    assert reach("disc", 1.0, 0.5, 90) == pytest.approx(1.0, abs=0.006)


# painting


def test_a_painted_disc_has_the_right_place_size_and_colour():
    canvas = Canvas(np.zeros((40, 60, 3), dtype=np.float32))
    frame = Frame(np.eye(2) * 10, np.array([30.0, 20.0]))
    box = canvas.paint("disc", frame, colour(0, 1, 1), None)
    assert box == Box(20, 10, 40, 30)
    assert canvas.covered.sum() == pytest.approx(np.pi * 100, rel=0.01)
    np.testing.assert_allclose(canvas.pixels[20, 30], [1, 0, 0])
    np.testing.assert_allclose(canvas.pixels[5, 5], 0)


def test_nothing_is_painted_outside_the_image():
    canvas = Canvas(np.zeros((20, 20, 3), dtype=np.float32))
    far = Frame(np.eye(2) * 5, np.array([100.0, 100.0]))
    assert canvas.paint("disc", far, colour(0, 1, 1), None) is None
    assert canvas.pixels.max() == 0


def test_light_comes_from_its_side_however_the_shape_is_turned():
    light = Light(np.array([-0.8, 0.0, 0.6], dtype=np.float32), ambient=0.3, outline=0.0)
    for angle in (0, 90, 200):
        canvas = Canvas(np.zeros((40, 40, 3), dtype=np.float32))
        frame = Frame(np.eye(2) * 15, np.array([20.0, 20.0])).place((0, 0), (1, 1), angle)
        canvas.paint("disc", frame, colour(0, 0, 1), light)
        assert canvas.pixels[20, 10].mean() > canvas.pixels[20, 30].mean() + 0.3


def test_a_part_is_placed_in_its_bodys_frame():
    body = Frame(np.eye(2) * 10, np.array([50.0, 50.0]))
    turned = body.place((1, 0), (0.5, 0.2), 90)
    assert turned.point(0, 0) == pytest.approx((60, 50))
    assert turned.point(1, 0) == pytest.approx((60, 55))  # its own right is down
    assert turned.point(0, -1) == pytest.approx((62, 50))  # its own top is to the right


def test_backgrounds_have_a_spectrum_of_one_over_f(noise):
    field = noise.cut(np.random.default_rng(1), 512, 512)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None, :])
    rings = [(low, 2 * low) for low in (0.02, 0.04, 0.08, 0.16)]
    levels = [power[(frequency >= low) & (frequency < high)].mean() for low, high in rings]
    slopes = np.diff(np.log2(levels))
    np.testing.assert_allclose(slopes, -2, atol=0.1)  # amplitude 1/f: power 1/f^2
