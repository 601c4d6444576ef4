from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines import evaluate
from zfrepro import config
from zfrepro.data import naive
from zfrepro.data.naive import grey_thumbnail, mean_colour, naive_errors, thumbnails


class FakeSplit:
    """Images in memory, with the interface of a split of a prepared set."""

    def __init__(self, images, labels):
        self._images = np.asarray(images, dtype=np.uint8)
        self.labels = np.asarray(labels, dtype=np.int64)
        self.largest_read = 0

    def read(self, indices):
        self.largest_read = max(self.largest_read, len(indices))
        return self._images[indices]


def flat(*colours, side=16):
    return [np.broadcast_to(np.uint8(colour), (side, side, 3)) for colour in colours]


def test_mean_colour_of_two_halves():
    image = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    image[0, :4] = (200, 100, 40)
    np.testing.assert_allclose(mean_colour(thumbnails(image)), [[100, 50, 20]])


def test_thumbnail_keeps_the_places_of_grey_levels():
    image = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    image[0, 2:4, 14:16] = (30, 60, 90)
    expected = np.zeros((8, 8))
    expected[1, 7] = 60
    np.testing.assert_allclose(grey_thumbnail(thumbnails(image)).reshape(8, 8), expected, atol=1e-4)


def test_thumbnail_of_a_size_that_eight_does_not_divide():
    image = np.zeros((1, 12, 12, 3), dtype=np.uint8)
    image[0, :, 1] = 90  # 1.5 columns an area: a third of the first, two thirds of the second
    row = grey_thumbnail(thumbnails(image)).reshape(8, 8)[0]
    np.testing.assert_allclose(row[:3], [30, 30, 0], atol=1e-4)
    flat_one = thumbnails(np.full((1, 84, 84, 3), 77, np.uint8))
    np.testing.assert_allclose(grey_thumbnail(flat_one), 77, atol=1e-3)
    noise = np.random.default_rng(0).integers(256, size=(20, 12, 12, 3), dtype=np.uint8)
    np.testing.assert_allclose(mean_colour(thumbnails(noise)), noise.mean((1, 2)), rtol=1e-5)


def test_colours_far_apart_are_told_apart_and_places_are_not():
    train = FakeSplit(flat((250, 0, 0), (230, 0, 0), (0, 0, 250), (0, 0, 230)), [0, 0, 1, 1])
    val = FakeSplit(flat((200, 30, 0), (10, 0, 220), (0, 0, 255), (255, 0, 0)), [0, 1, 1, 1])
    errors = naive_errors(train, val)
    assert errors["mean_colour"] == 25.0  # the last is red, and said to be blue


def test_grey_thumbnail_sees_what_mean_colour_cannot():
    left, right = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    left[:, :8], right[:, 8:] = 200, 200
    split = FakeSplit([left, right, left, right], [0, 1, 0, 1])
    errors = naive_errors(split, split)
    assert errors == {"mean_colour": 50.0, "grey_thumbnail": 0.0}


def test_a_class_without_training_images_is_never_chosen():
    train = FakeSplit(flat((250, 0, 0), (0, 0, 250)), [0, 2])
    val = FakeSplit(flat((0, 0, 0), (250, 0, 0)), [1, 0])
    assert naive_errors(train, val)["mean_colour"] == 50.0


def test_memory_is_bounded_by_the_batch(monkeypatch):
    monkeypatch.setattr(naive, "BATCH", 4)
    split = FakeSplit(flat(*[(i, 0, 0) for i in range(10)]), np.arange(10))
    assert naive_errors(split, split)["mean_colour"] == 0.0
    assert split.largest_read == 4


def test_an_empty_split_is_an_error():
    empty = FakeSplit(np.zeros((0, 16, 16, 3)), [])
    with pytest.raises(ValueError, match="at least one"):
        naive_errors(empty, empty)


def test_the_stage_works_them_out_once_for_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path)
    read = []

    def rows(digest: str) -> list[dict[str, object]]:
        split = FakeSplit(flat((250, 0, 0), (0, 0, 250)), [0, 1])
        split.read = lambda indices: read.append(digest) or FakeSplit.read(split, indices)
        prepared: Any = SimpleNamespace(manifest={"digest": digest}, split=lambda name: split)
        return list(evaluate._naive_rows(prepared))

    first = rows("one")
    assert [row["val_top1"] for row in first] == [0, 50]  # red and blue are one grey
    assert rows("one") == first
    assert read == ["one"] * 2  # to learn them and to measure them
    rows("another")
    assert read == ["one", "one", "another", "another"]
    kept = sorted(tmp_path.rglob("*.gz"), key=lambda path: path.stat().st_mtime_ns)
    assert len(kept) == 2
    for damaged in (b"", kept[0].read_bytes()[:-3]):  # written in another way than by `files.keep`
        kept[0].write_bytes(damaged)
        assert rows("one") == first
    assert read.count("one") == 6
    assert not list(tmp_path.rglob("*.part"))
