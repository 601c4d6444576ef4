"""Transformed images against loops over pixels, curves against plain forward passes."""

import math
from math import cos, floor, radians, sin

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from tests.interp.networks import CROP, upto, zf_like
from zfrepro.elements.invariance import measure as invariance
from zfrepro.elements.invariance.measure import Transformation, curves, transformations, transformed
from zfrepro.interp.chain import Chain, ChainError

SIZE = 51
START = (SIZE - CROP) // 2
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(256, size=(SIZE, SIZE, 3)).astype(np.float32)
MEAN = RNG.uniform(100, 150, size=(SIZE, SIZE, 3)).astype(np.float32)
NONE = Transformation.none()

Floats = npt.NDArray[np.float64]


def inputs(*wanted: Transformation) -> Floats:
    found = transformed(torch.from_numpy(IMAGE), torch.from_numpy(MEAN), CROP, wanted)
    return found.permute(0, 2, 3, 1).double().numpy()


def cubic(t: float) -> float:
    """Keys' kernel with a = -0.75, as torch and OpenCV have it."""
    a, t = -0.75, abs(t)
    if t < 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def sample(y: float, x: float) -> tuple[Floats, float]:
    """Colour at a point, black outside, and how much of it comes from inside."""
    colour, inside = np.zeros(3), 0.0
    row, column = floor(y - 0.5), floor(x - 0.5)
    for i in range(row - 1, row + 3):
        for j in range(column - 1, column + 3):
            weight = cubic(y - 0.5 - i) * cubic(x - 0.5 - j)
            if 0 <= i < SIZE and 0 <= j < SIZE:
                colour += weight * IMAGE[i, j]
                inside += weight
    return colour.clip(0, 255), min(max(inside, 0), 1)


@pytest.mark.parametrize(
    "wanted", [Transformation("scale", 1.37), Transformation("rotation", 33.0)]
)
def test_pixels_are_those_of_a_loop(wanted: Transformation) -> None:
    found = inputs(wanted)[0]
    for i in range(0, CROP, 6):
        for j in range(0, CROP, 5):
            y, x = (place + 0.5 + START - SIZE / 2 for place in (i, j))
            if wanted.kind == "scale":
                y, x = y / wanted.amount, x / wanted.amount
            else:
                angle = radians(wanted.amount)
                x, y = x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)
            colour, inside = sample(y + SIZE / 2, x + SIZE / 2)
            expected = colour - inside * MEAN[START + i, START + j]
            np.testing.assert_allclose(found[i, j], expected, atol=1e-3)


def test_a_translation_moves_whole_rows_and_shows_what_lies_beyond_the_crop() -> None:
    same, down, up = inputs(NONE, Transformation("translation", 2.0),
                            Transformation("translation", -10.0))  # fmt: skip
    crop, mean = (each[START:-START, START:-START] for each in (IMAGE, MEAN))
    np.testing.assert_allclose(same, crop - mean, atol=1e-4)
    np.testing.assert_allclose(down, IMAGE[START - 2 : -START - 2, START:-START] - mean, atol=1e-4)
    # of ten rows from below three are in the prepared image: the mean image, so 0, fills the rest
    np.testing.assert_allclose(up[: CROP - 7], IMAGE[START + 10 :, START:-START] - mean[: CROP - 7],
                               atol=1e-4)  # fmt: skip
    assert (up[CROP - 7 :] == 0).all()


def test_a_quarter_turn_is_anticlockwise() -> None:
    found = inputs(Transformation("rotation", 90.0))[0]
    mean = MEAN[START:-START, START:-START]
    np.testing.assert_allclose(found, np.rot90(IMAGE)[START:-START, START:-START] - mean, atol=1e-3)


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    """A checkerboard of single pixels becomes grey."""
    board = torch.from_numpy(255.0 * (np.indices((64, 64)).sum(0) % 2)).float()
    found = transformed(
        board[:, :, None].expand(-1, -1, 3), torch.zeros(64, 64, 3), 24,
        [Transformation("scale", 0.5)],
    )  # fmt: skip
    assert (found - 127.5).abs().max() < 30
    assert found.mean() == pytest.approx(127.5, abs=1)


def test_curves_are_those_of_single_passes() -> None:
    network = zf_like()
    wanted = transformations(CROP, translation=[-60, 60, 30], scale=[1, 1.8, 0.4],
                             rotation=[0, 350, 70])  # fmt: skip
    moved = torch.from_numpy(inputs(NONE, *wanted)).permute(0, 3, 1, 2).float() / 100
    found = curves(Chain(network), moved, wanted, 2, ["conv1", "fc7"], batch=4)
    for layer, last in (("conv1", "relu1"), ("fc7", "relu7")):
        rows = found[found["layer"] == layer].reset_index(drop=True)
        assert list(zip(rows["kind"], rows["amount"], strict=True)) == [
            (each.kind, each.amount) for each in wanted
        ]
        with torch.no_grad():
            original = upto(network, last)(moved[:1])
            for k in range(len(wanted)):
                one = moved[k + 1 : k + 2]
                distance = float(((upto(network, last)(one) - original) ** 2).sum().sqrt())
                relative = distance / float((original**2).sum().sqrt())
                scores = network(one).softmax(1)[0]
                assert rows["distance"][k] == pytest.approx(distance, rel=1e-4, abs=1e-4)
                assert rows["relative"][k] == pytest.approx(relative, rel=1e-4, abs=1e-4)
                assert rows["probability"][k] == pytest.approx(float(scores[2]), rel=1e-4)
    unmoved = found[(found["kind"] == "rotation") & (found["amount"] == 0)]
    assert unmoved["distance"].max() < 1e-3 * found["distance"].max()


def test_amounts_are_the_papers_at_224_and_in_proportion_elsewhere() -> None:
    steps = {"translation": [-60, 60, 4], "scale": [1, 1.8, 0.05], "rotation": [0, 350, 10]}
    for crop, largest, count in ((224, 60, 31), (56, 15, 31), (28, 8, 17)):
        amounts = {
            kind: [each.amount for each in transformations(crop, **steps) if each.kind == kind]
            for kind in steps
        }
        assert (amounts["translation"][0], amounts["translation"][-1]) == (-largest, largest)
        assert len(amounts["translation"]) == count
        assert (amounts["scale"][0], amounts["scale"][-1], len(amounts["scale"])) == (1, 1.8, 17)
        assert (amounts["rotation"][0], amounts["rotation"][-1]) == (0, 350)


def test_the_mean_shift_is_over_small_transformations_alone() -> None:
    network = zf_like()
    wanted = transformations(224, translation=[-8, 8, 4], scale=[1, 1.4, 0.2], rotation=[0, 0, 1])
    moved = torch.from_numpy(inputs(NONE, *wanted)).permute(0, 3, 1, 2).float()
    table = curves(Chain(network), moved, wanted, 0, ["conv1"]).assign(image=3)
    amounts, relative = table["amount"], table["relative"]
    found = invariance.mean_shift(table, "conv1", "translation", 4)
    expected = relative[(table["kind"] == "translation") & (amounts.abs() == 4)]
    assert found[3] == pytest.approx(expected.mean())
    found = invariance.mean_shift(table, "conv1", "scale", 0.2)
    assert found[3] == pytest.approx(
        float(relative[(table["kind"] == "scale") & (amounts == 1.2)].iloc[0])
    )


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"image of \(51, 40, 3\) does not fit a mean image"):
        transformed(torch.zeros(51, 40, 3), torch.from_numpy(MEAN), CROP, [NONE])
    with pytest.raises(ValueError, match=r"does not fit .* and a crop of 52"):
        transformed(torch.from_numpy(IMAGE), torch.from_numpy(MEAN), 52, [NONE])
    with pytest.raises(ChainError, match="no layer fc9 "):
        curves(Chain(zf_like()), torch.zeros(2, 3, CROP, CROP), [NONE], 0, ["conv1", "fc9"])
    steps = {"translation": [0, 1, 1], "scale": [1, 2, 1], "rotation": [0, 1, 1]}
    with pytest.raises(ValueError, match="scale starts at 0"):
        transformations(224, **{**steps, "scale": [0, 2, 1]})
    for values in ([0, 90, math.nan], [0, math.inf, 1], [0, 1, 1e-9]):
        with pytest.raises(ValueError, match=r"rotation is .* step above 0"):
            transformations(45, translation=[0, 0, 1], scale=[1, 1, 1], rotation=values)
    with pytest.raises(ValueError, match=r"rotation is .* step above 0"):
        transformations(224, **{**steps, "rotation": [0, 350, 0]})


def test_what_is_symmetric_is_like_itself_turned() -> None:
    noise = np.random.default_rng(0).integers(64, size=(21, 21, 3), dtype=np.uint8)
    wheel = np.sum([np.rot90(noise, quarter) for quarter in range(4)], axis=0)
    assert invariance.symmetry(wheel) == pytest.approx(1)
    ramp = np.broadcast_to(np.arange(20)[:, None], (20, 20, 1))  # 180 degrees: the reverse
    assert invariance.symmetry(ramp) == pytest.approx(-1 / 3, abs=1e-6)
    corners = wheel.copy()
    corners[:3, :3] = 9  # beyond the circle
    assert invariance.symmetry(corners) == pytest.approx(1)


def test_recovery_is_halfway_minus_quarter_turns() -> None:
    amounts = np.arange(0, 360, 10)
    near = np.where(amounts % 90 == 0, 0.25, 1.0)
    turned = {"kind": "rotation", "layer": "fc7", "image": 3, "amount": amounts, "relative": near}
    moved = {"kind": "scale", "layer": "fc7", "image": 3, "amount": [45.0], "relative": 7.0}
    table = pd.concat([pd.DataFrame(turned), pd.DataFrame(moved)])
    assert invariance.recovery(table, "fc7").to_dict() == {3: 0.75}
