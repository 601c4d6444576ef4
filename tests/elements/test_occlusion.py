"""Occlusion against covering, running and summing, place by place; and against captum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from tests.interp.networks import CROP, NETWORKS, grouped, images, upto, zf_like
from zfrepro.data.annotations import Box
from zfrepro.elements.occlusion.measure import Occluded, Square, drop, occlude, projections
from zfrepro.interp import windows
from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.deconv import Deconvnet, strongest

Make = Callable[[], nn.Sequential]
GREY = torch.full((3, CROP, CROP), 0.4) + 0.1 * images(1, seed=7)[0]


def naive(network: nn.Sequential, square: Square, number: int, label: int) -> np.ndarray:
    """(3, rows, columns): the map's sum, the label's probability, the most probable class."""
    image, found = images(1)[0], []
    starts = square.starts(CROP)
    with torch.no_grad():
        for top in starts:
            for left in starts:
                covered = image.clone()
                here = slice(None), slice(top, top + square.side), slice(left, left + square.side)
                covered[here] = GREY[here]
                scores = network(covered[None])[0].softmax(0)
                maps = upto(network, "relu5")(covered[None])[0]
                found.append(
                    (float(maps[number].sum()), float(scores[label]), int(scores.argmax()))
                )
    return np.array(found).T.reshape(3, len(starts), len(starts))


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize(
    "square", [Square(9, 4, 0), Square(1, 11, 0), Square(30, 7, 0), Square(45, 45, 0)]
)
def test_every_place_is_what_covering_it_gives(make: Make, square: Square) -> None:
    network = make()
    found = occlude(Chain(network), images(1)[0], GREY, square, "conv5", 2, batch=17)
    maps, probabilities, best = naive(network, square, found.map, 2)
    np.testing.assert_allclose(found.activation, maps, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.probability, probabilities, rtol=1e-4, atol=1e-6)
    assert (found.best == best).all()
    with torch.no_grad():
        clean = upto(network, "relu5")(images(1))[0]
        scores = network(images(1))[0].softmax(0)
    assert found.map == int(clean.flatten(1).amax(1).argmax())
    assert found.clean_activation == pytest.approx(float(clean[found.map].sum()), rel=1e-5)
    assert found.clean_probability == pytest.approx(float(scores[2]), rel=1e-5)
    assert found.clean_best == int(scores.argmax())


@pytest.mark.parametrize("share", [0.0, 0.3, 2.0])
def test_windows_and_whole_maps_give_the_same(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, square = zf_like(), Square(9, 4, 0)
    monkeypatch.setattr(windows, "WHOLE", share)
    found = occlude(Chain(network), images(1)[0], GREY, square, "conv5", 2)
    np.testing.assert_allclose(
        found.activation, naive(network, square, found.map, 2)[0], rtol=1e-4, atol=1e-5
    )


def test_only_windows_are_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network, widths = zf_like(), []
    chain = Chain(network)
    kept = windows._slid
    monkeypatch.setattr(
        windows, "_slid", lambda m, x: widths.append((type(m), x.shape[-1])) or kept(m, x)
    )
    occlude(chain, images(1)[0], GREY, Square(5, 5, 0), "conv5", 2)
    assert widths[0] == (nn.Conv2d, 17)  # 5 pixels reach at most 6 places, which see 5 * 2 + 7
    assert all(width < CROP for _, width in widths)


@pytest.mark.parametrize(("side", "stride"), [(9, 4), (8, 8)])
def test_captum_finds_the_same(side: int, stride: int) -> None:
    """captum gives a pixel the mean loss over the squares that cover it."""
    network, square = grouped(), Square(side, stride, 0)
    found = occlude(Chain(network), images(1)[0], GREY, square, "conv5", 3)
    score = nn.Sequential(network, nn.Softmax(1))
    theirs = Occlusion(score).attribute(
        images(1), (3, side, side), (3, stride, stride), baselines=GREY[None], target=3
    )[0, 0]
    lost, times = torch.zeros(CROP, CROP), torch.zeros(CROP, CROP)
    for i, top in enumerate(found.rows):
        for j, left in enumerate(found.columns):
            here = slice(top, top + side), slice(left, left + side)
            lost[here] += found.clean_probability - found.probability[i, j]
            times[here] += 1
    np.testing.assert_allclose(lost / times, theirs.detach(), rtol=1e-3, atol=1e-6)


def test_a_peak_is_projected() -> None:
    network, number = zf_like(), 4
    deconvnet, some = Deconvnet(network), images(2)
    found = projections(deconvnet, "conv5", number, some)
    seen = deconvnet.see(some, "conv5")
    expected = deconvnet.project(seen, strongest(seen, [number])).whole(CROP, CROP)
    np.testing.assert_array_equal(found, expected.permute(0, 2, 3, 1))


def at(probability: np.ndarray) -> Occluded:
    size = len(probability)
    zeros = np.zeros((size, size))
    starts = [4 * i for i in range(size)]
    return Occluded(
        Square(4, 4, 0), starts, starts, 0, 0, zeros, probability, zeros.astype(int), 0, 0.9, 0
    )


def test_the_score_is_the_loss_on_the_object_less_that_off_it() -> None:
    probability = np.full((5, 5), 0.8)
    probability[1:3, 2:4] = 0.2  # centres at 6, 10 down and 10, 14 across
    found = drop(at(probability), Box(left=10, top=6, right=14.5, bottom=12))
    assert found is not None
    assert (found.on, found.off) == (pytest.approx(0.7), pytest.approx(0.1))
    assert found.score == pytest.approx(0.6)


@pytest.mark.parametrize("box", [Box(0, 0, 20, 20), Box(0, 0, 1, 1)])
def test_there_is_no_score_without_both(box: Box) -> None:
    assert drop(at(np.ones((5, 5))), box) is None


def test_the_square_scales_with_the_crop() -> None:
    assert Square.of(224, side=32, stride=8, value=128) == Square(32, 8, 128)
    assert Square.of(56, side=32, stride=8, value=128) == Square(8, 2, 128)
    assert Square(32, 8, 0).starts(224)[-1] == 192
    assert Square(10, 8, 0).starts(45) == [0, 8, 16, 24, 32, 40]  # the last reaches over the edge
    with pytest.raises(ValueError, match="grey is nan"):
        Square.of(56, side=32, stride=8, value=float("nan"))
    with pytest.raises(ValueError, match="square of 300 pixels of 224"):
        Square.of(56, side=300, stride=8, value=128)


@pytest.mark.parametrize(
    ("layer", "message"), [("conv9", r"no layer conv9.*network has conv1"), ("fc7", "full layer")]
)
def test_a_layer_without_maps_is_refused(layer: str, message: str) -> None:
    with pytest.raises(ChainError, match=message):
        occlude(Chain(zf_like()), images(1)[0], GREY, Square(9, 9, 0), layer)
