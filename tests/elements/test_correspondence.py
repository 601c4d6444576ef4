"""Table 1 against its definition, written out as loops over pairs and features."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.interp.networks import CROP, images, upto, zf_like
from zfrepro.data.annotations import Point
from zfrepro.elements.correspondence import measure as correspondence
from zfrepro.elements.correspondence.measure import (
    NoRoomError,
    consistency,
    corners,
    disagreement,
    hamming,
    placed,
    random_corners,
)
from zfrepro.interp.chain import Chain, ChainError

SIDE, FACES, DRAWS = 7, 5, 4
GREY = 0.3 * images(1, seed=5)[0]
RNG = np.random.default_rng(3)
PLACES = [
    {"eye": Point(*RNG.uniform(3, 18, 2)), "nose": Point(*RNG.uniform(25, 44, 2))}
    for _ in range(FACES)
]


def found() -> correspondence.Found:
    return consistency(
        Chain(zf_like()), images(FACES), GREY, PLACES, SIDE, ["conv5", "fc7"], draws=DRAWS, seed=0,
        batch=2,
    )  # fmt: skip


def naive_signs(squares: np.ndarray, last: str) -> list[Tensor]:
    """sign(x - x_masked) of each face, at a layer."""
    layer, signs = upto(zf_like(), last), []
    for image, (top, left) in zip(images(FACES), squares.tolist(), strict=True):
        hidden = image.clone()
        for i in range(top, top + SIDE):
            for j in range(left, left + SIDE):
                hidden[:, i, j] = GREY[:, i, j]
        with torch.no_grad():
            change = layer(image[None]) - layer(hidden[None])
            signs.append(change.where(change.abs() > 1e-6, 0).sign().flatten())
    return signs


@pytest.mark.parametrize(("layer", "last"), [("conv5", "relu5"), ("fc7", "relu7")])
def test_distances_are_those_of_a_loop(layer: str, last: str) -> None:
    ours, seen = found(), dict.fromkeys(("eye", "nose", "random"), 0)
    for name, squares in placed(PLACES, SIDE, CROP, draws=DRAWS, seed=0):
        each, signs = ours[name, layer], naive_signs(squares, last)
        for i, j in combinations(range(FACES), 2):
            couples = list(zip(signs[i].tolist(), signs[j].tolist(), strict=True))
            differ = sum(a != b for a, b in couples)
            both = [a != b for a, b in couples if a and b]
            opposite = sum(both) / len(both) if both else float("nan")
            draw = seen[name]
            assert each.hamming[draw, i, j] == pytest.approx(differ / len(signs[i]))
            assert each.hamming[draw, j, i] == each.hamming[draw, i, j]
            assert each.disagreement[draw, i, j] == pytest.approx(opposite, nan_ok=True)
        changed = [float((sign != 0).double().mean()) for sign in signs]
        np.testing.assert_allclose(each.changed[draw], changed)
        seen[name] += 1
    assert seen == {"eye": 1, "nose": 1, "random": DRAWS}


def test_the_table_is_mean_and_deviation_over_pairs() -> None:
    ours = found()
    table = correspondence.table([ours, ours], ["conv5", "fc7"]).set_index("occlusion")
    assert list(table.index) == ["eye", "nose", "random"]
    for part in table.index:
        draws = ours[part, "fc7"].hamming
        pairs = [[draw[i, j] for i, j in combinations(range(FACES), 2)] for draw in draws]
        row = table.loc[part]
        assert row["fc7_mean"] == pytest.approx(np.mean(pairs))
        assert row["fc7_std"] == pytest.approx(np.sqrt(np.mean([np.var(each) for each in pairs])))
        assert row["fc7_low"] <= row["fc7_mean"] <= row["fc7_high"]
    more = correspondence.against_random([ours, ours], "eye", "fc7")
    assert more.mean == pytest.approx(
        table.loc["random", "fc7_mean"] - table.loc["eye", "fc7_mean"]
    )


def test_the_sign_of_zero_agrees_with_itself_alone() -> None:
    signs = torch.tensor([[0, 0, 1, -1, 0], [0, 1, 1, 1, -1]], dtype=torch.int8)
    assert hamming(signs)[0, 1] == pytest.approx(3 / 5)
    assert disagreement(signs)[0, 1] == pytest.approx(1 / 2)
    assert np.isnan(disagreement(torch.tensor([[0, 1], [1, 0]]))[0, 1])


def test_random_places_lie_anywhere_but_on_the_landmarks() -> None:
    taken = corners([Point(10, 12), Point(30, 12), Point(20, 44)], SIDE, CROP)
    drawn = random_corners(taken, SIDE, CROP, 4000, np.random.default_rng(0))
    apart = np.abs(drawn[:, None] - taken[None]).max(2)  # of squares: they touch below SIDE
    assert apart.min() == SIDE
    assert drawn.min() == 0
    assert drawn.max() == CROP - SIDE
    free = sum(
        (np.abs(taken - (i, j)).max(1) >= SIDE).all()
        for i in range(CROP - SIDE + 1) for j in range(CROP - SIDE + 1)
    )  # fmt: skip
    assert len(np.unique(drawn, axis=0)) > 0.9 * free


def test_squares_are_centred_and_stay_inside() -> None:
    found = corners([Point(20.5, 30.5), Point(0, 44.9)], SIDE, CROP)
    assert found.tolist() == [[27, 17], [CROP - SIDE, 0]]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(NoRoomError, match="no room for another"):
        random_corners(corners([Point(5, 5)], 8, 10), 8, 10, 3, np.random.default_rng(0))
    with pytest.raises(ChainError, match="no layer fc9 "):
        consistency(Chain(zf_like()), images(FACES), GREY, PLACES, SIDE, ["fc9"], draws=1, seed=0)
