"""Folds of Caltech-101 and Caltech-256: who trains, who is tested, when nobody is left."""

import numpy as np
import pytest

from zfrepro.transfer.protocol import (
    Fold,
    Labels,
    ProtocolError,
    draw,
    mean_class_accuracy,
    proportionate,
    table,
)

IDS = ("BACKGROUND_Google", "anchor", "bass", "crab")
SIZES = (40, 31, 90, 33)


@pytest.fixture
def labels() -> Labels:
    of_images = np.random.default_rng(0).permutation(np.repeat(np.arange(4), SIZES))
    return Labels.of(of_images, IDS)


def test_a_class_of_31_images_has_one_to_test_beside_30(labels: Labels) -> None:
    fold = draw(labels, 30, 50, number=0, seed=0)
    assert np.bincount(labels.of_images[fold.train]).tolist() == [30, 30, 30, 30]
    assert np.bincount(labels.of_images[fold.test]).tolist() == [10, 1, 50, 3]


@pytest.mark.parametrize("images_per_class", [1, 15, 30])
def test_no_image_trains_and_is_tested_or_comes_twice(
    labels: Labels, images_per_class: int
) -> None:
    for number in range(5):
        fold = draw(labels, images_per_class, 50, number, seed=3)
        images = np.concatenate([fold.train, fold.test])
        assert len(set(images.tolist())) == len(images)


def test_seed_and_number_decide_a_fold(labels: Labels) -> None:
    def trained(number: int, seed: int) -> list[int]:
        return draw(labels, 15, 50, number, seed).train.tolist()

    assert trained(1, 7) == trained(1, 7)
    different = [trained(number, seed) for number in range(3) for seed in range(3)]
    assert len({tuple(sorted(images)) for images in different}) == 9


def test_the_images_of_fewer_a_class_are_among_those_of_more(labels: Labels) -> None:
    few, more = (set(draw(labels, n, 50, 0, 0).train.tolist()) for n in (6, 15))
    assert few < more


def test_a_class_that_is_left_out_changes_no_other(labels: Labels) -> None:
    without = Labels.of(labels.of_images, IDS, ["BACKGROUND_Google"])
    assert without.ids == IDS[1:]
    all_of_them, fewer = (draw(each, 15, 50, 0, 0) for each in (labels, without))
    for role in ("train", "test"):
        images = getattr(all_of_them, role)
        kept = images[labels.of_images[images] > 0]
        assert kept.tolist() == getattr(fewer, role).tolist()


def test_what_a_protocol_cannot_have_is_named(labels: Labels) -> None:
    with pytest.raises(ProtocolError, match="class anchor has 31 images: with 31 per class"):
        draw(labels, 31, 50, 0, 0)
    with pytest.raises(ProtocolError, match=r"257\.clutter, which is not a class"):
        Labels.of(labels.of_images, IDS, ["257.clutter"])


def test_presence_tells_every_class_from_the_others(labels: Labels) -> None:
    assert Labels(("a", "b", "c"), np.array([2, 0])).presence(np.array([1, 0])).tolist() == [
        [1, -1, -1],
        [-1, -1, 1],
    ]


def test_classes_count_alike_however_many_of_their_images_are_tested() -> None:
    truth = np.array([0, 0, 0, 0, 2])  # class 1 is not tested
    assert mean_class_accuracy(np.array([0, 0, 0, 1, 2]), truth) == pytest.approx((75 + 100) / 2)
    assert mean_class_accuracy(np.array([0, 0, 0, 0, 1]), truth) == pytest.approx(50)


def test_the_stored_splits_have_a_line_an_image(labels: Labels) -> None:
    fold = Fold(number=2, seed=5, images_per_class=1, train=np.array([3]), test=np.array([0, 1]))
    found = table([fold], ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    assert found["role"].tolist() == ["train", "test", "test"]
    assert found["path"].tolist() == ["d.jpg", "a.jpg", "b.jpg"]
    assert set(found["fold"]) == {2}
    assert set(found["seed"]) == {5}


def test_folds_of_a_rendered_set_share_no_image() -> None:
    labels = Labels.of(np.repeat([0, 1], 50), ["cat", "dog"])
    folds = [draw(labels, 4, 5, number, seed=1, independent=5) for number in range(5)]
    used = [set(fold.train.tolist()) | set(fold.test.tolist()) for fold in folds]
    assert sum(map(len, used)) == len(set.union(*used)) == 5 * 2 * 9
    more = draw(labels, 5, 5, 3, seed=1, independent=5)
    assert set(folds[3].train.tolist()) < set(more.train.tolist())
    with pytest.raises(ProtocolError, match="class cat has 10 images: with 10 per class"):
        draw(labels, 10, 5, 0, seed=1, independent=5)


def test_few_images_are_few_beside_those_of_the_source() -> None:
    assert [proportionate(count, 150) for count in (15, 30, 45, 60)] == [2, 4, 5, 7]
    assert proportionate(15, 1281.167) == 15
    assert proportionate(1, 12) == 1
