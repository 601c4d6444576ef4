from collections.abc import Callable

import numpy as np
import pytest
import torch

from zfrepro.data import crops

Subtract = Callable[..., torch.Tensor]


def test_ten_crops_are_the_papers() -> None:
    ten = crops.ten_crops(256, 224)
    places = list(zip(ten.tops.tolist(), ten.lefts.tolist(), ten.flips.tolist(), strict=True))
    corners = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    assert places == [(*p, False) for p in corners] + [(*p, True) for p in corners]


def test_centre_crop() -> None:
    centre = crops.centre_crop(256, 224)
    assert (centre.tops.tolist(), centre.lefts.tolist(), centre.flips.tolist()) == (
        [16],
        [16],
        [False],
    )


def test_ten_draws_only_the_ten_and_all_of_them() -> None:
    drawn = crops.draw("ten", 2000, 64, 56, np.random.default_rng(0))
    ten = crops.ten_crops(64, 56)
    allowed = set(zip(ten.tops.tolist(), ten.lefts.tolist(), ten.flips.tolist(), strict=True))
    seen = list(zip(drawn.tops.tolist(), drawn.lefts.tolist(), drawn.flips.tolist(), strict=True))
    assert set(seen) == allowed
    counts = [seen.count(place) for place in allowed]
    assert min(counts) > 140  # 200 each on average, deviation 13


def test_random_crops_reach_every_place_and_none_outside() -> None:
    drawn = crops.draw("random", 5000, 12, 8, np.random.default_rng(0))
    assert set(drawn.tops.tolist()) == set(drawn.lefts.tolist()) == {0, 1, 2, 3, 4}
    assert 0.45 < drawn.flips.mean() < 0.55


def test_unknown_policy_names_the_key() -> None:
    with pytest.raises(ValueError, match=r"training\.crops.*'many'.*ten.*random"):
        crops.draw("many", 1, 64, 56, np.random.default_rng(0))


@pytest.mark.parametrize("subtract", [crops._subtract_in_turn, crops._subtract_at_once])
def test_the_mean_is_subtracted_where_the_crop_was_taken(subtract: Subtract) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
    mean = torch.from_numpy(rng.random((8, 8, 3), dtype=np.float32) * 255)
    tops, lefts, flips = [0, 2, 1], [2, 0, 1], [False, True, False]
    cut = np.stack([im[t : t + 6, x : x + 6] for im, t, x in zip(images, tops, lefts, strict=True)])
    places = torch.tensor(tops), torch.tensor(lefts), torch.tensor(flips)
    found = subtract(torch.from_numpy(cut), mean, *places)
    whole = torch.from_numpy(images).float() - mean
    for i, (t, x, mirrored) in enumerate(zip(tops, lefts, flips, strict=True)):
        expected = whole[i, t : t + 6, x : x + 6]
        torch.testing.assert_close(found[i], expected.flip(1) if mirrored else expected)


def test_crops_come_in_the_order_that_convolutions_like() -> None:
    images = torch.arange(24, dtype=torch.uint8).reshape(2, 2, 2, 3)
    zeros = torch.zeros(2, dtype=torch.long)
    found = crops.subtract_mean(images, torch.ones(4, 4, 3), zeros, zeros, zeros.bool())
    assert found.shape == (2, 3, 2, 2)
    assert found[1, 2].tolist() == [[13, 16], [19, 22]]
    assert found.is_contiguous(memory_format=torch.channels_last)
