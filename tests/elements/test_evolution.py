"""Convergence of maps: correlations and changes against numbers worked out by hand."""

from collections import OrderedDict
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zfrepro.elements.evolution import measure as evolution
from zfrepro.elements.evolution import plot as drawing
from zfrepro.elements.evolution.measure import Moment
from zfrepro.interp.chain import Chain
from zfrepro.interp.deconv import Deconvnet
from zfrepro.interp.top_activations import strongest, to_table

IMAGES = torch.rand(10, 3, 18, 18, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def deconvnet() -> Deconvnet:
    torch.manual_seed(0)
    return Deconvnet(
        nn.Sequential(
            OrderedDict([
                ("conv1", nn.Conv2d(3, 4, 3)), ("relu1", nn.ReLU()), ("pool1", nn.MaxPool2d(2, 2)),
                ("conv2", nn.Conv2d(4, 6, 3)), ("relu2", nn.ReLU()),
            ])
        )
    )  # fmt: skip


@pytest.fixture
def table(deconvnet: Deconvnet) -> pd.DataFrame:
    return to_table(strongest(deconvnet.chain, ["conv1", "conv2"], [(np.arange(10), IMAGES)]))


def test_a_moment_shows_each_maps_strongest_activation(
    deconvnet: Deconvnet, table: pd.DataFrame
) -> None:
    best = evolution.first_places(table, "conv2")
    maps = [*best["map"].tolist()[:2], 99]
    found = evolution.moment(deconvnet, table, 3, "conv2", maps, lambda n: IMAGES[n.tolist()])
    assert (found.epoch, list(found.windows)) == (3, maps[:2])  # the third never fires
    row = best.loc[maps[0]]
    one = evolution.fixed_images(deconvnet, "conv2", [maps[0]], IMAGES[[row["image"]]])
    field = deconvnet.chain.field("conv2")
    assert field is not None
    top, left = (int(row[at]) * field.stride for at in ("row", "column"))
    window = one[0, :, top : top + field.size, left : left + field.size].permute(1, 2, 0)
    np.testing.assert_allclose(found.windows[maps[0]], window, rtol=1e-5, atol=1e-7)


def test_fixed_images_pair_maps_and_images(deconvnet: Deconvnet) -> None:
    together = evolution.fixed_images(deconvnet, "conv2", [5, 0, 5], IMAGES[[1, 2, 3]])
    for k, (number, image) in enumerate([(5, 1), (0, 2), (5, 3)]):
        alone = evolution.fixed_images(deconvnet, "conv2", [number], IMAGES[[image]])
        torch.testing.assert_close(together[k], alone[0])


def test_correlations_are_pearsons() -> None:
    ones, others = torch.randn(3, 2, 5, 5), torch.randn(3, 2, 5, 5)
    others[1] = 3 - 2 * ones[1]
    others[2] = 7.0
    found = evolution.correlations(ones, others)
    expected = np.corrcoef(ones[0].flatten().numpy(), others[0].flatten().numpy())[0, 1]
    np.testing.assert_allclose(found, [expected, -1, 0], atol=1e-6)


def test_cka_knows_the_same_features_turned_and_scaled(deconvnet: Deconvnet) -> None:
    seen = evolution.likenesses(deconvnet.chain, ["conv1", "conv2"], IMAGES)
    for layer in ("conv1", "conv2"):
        features = deconvnet.chain.activations(IMAGES, layer).flatten(1).double()
        turn = torch.linalg.qr(torch.randn(features.shape[1], features.shape[1]).double()).Q
        turned = evolution.likenesses(
            Chain(nn.Sequential(nn.Flatten())), ["0"], features @ turn * 3
        )
        assert evolution.cka(seen[layer], turned["0"]) == pytest.approx(1, abs=1e-5)
    between = evolution.cka(seen["conv1"], seen["conv2"])
    assert 0 < between < 0.999
    assert evolution.cka(seen["conv1"], torch.zeros(10, 10)) == 0  # tells no images apart


def test_cka_is_the_ratio_of_unbiased_independence_criteria() -> None:
    """HSIC as of Song et al. 2012, its sums over different images written out."""
    ones, others = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).double()

    def hsic(one: Tensor, other: Tensor) -> float:
        k, m = one @ one.T, other @ other.T
        pairs = [k[i, j] * m[i, j] for i, j in permutations(range(6), 2)]
        threes = [k[i, j] * m[i, q] for i, j, q in permutations(range(6), 3)]
        fours = [k[i, j] * m[q, r] for i, j, q, r in permutations(range(6), 4)]
        return float(sum(pairs) / 30 - 2 * sum(threes) / 120 + sum(fours) / 360)

    flat = Chain(nn.Sequential(nn.Flatten()))
    seen = [evolution.likenesses(flat, ["0"], each)["0"] for each in (ones, others)]
    expected = hsic(ones, others) / (hsic(ones, ones) * hsic(others, others)) ** 0.5
    assert evolution.cka(*seen) == pytest.approx(expected)


def test_cka_of_unrelated_features_is_about_0_for_few_images_too() -> None:
    """As plain CKA is not: with 12 images and 300 features it is about 0.96."""
    flat = Chain(nn.Sequential(nn.Flatten()))
    found = [
        evolution.cka(*(evolution.likenesses(flat, ["0"], torch.randn(12, 300))["0"] for _ in "ab"))
        for _ in range(50)
    ]
    assert abs(np.mean(found)) < 0.1


def test_changed_counts_maps_that_fire_in_both() -> None:
    def of(images: dict[int, int]) -> pd.DataFrame:
        rows = [("conv1", number, 1, image) for number, image in images.items()]
        return pd.DataFrame(rows, columns=["layer", "map", "rank", "image"])

    before, after = of({0: 5, 1: 6, 2: 7, 3: 8}), of({0: 5, 1: 9, 2: 1, 4: 8})
    assert evolution.changed(before, after, "conv1") == pytest.approx(2 / 3)
    assert np.isnan(evolution.changed(of({}), after, "conv1"))


def test_figures_and_series_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moments = [
        Moment(epoch, "conv2", {n: rng.normal(size=(9, 9, 3)).astype(np.float32) for n in fires})
        for epoch, fires in ((1, [4]), (2, [4, 7]))
    ]
    drawing.draw(moments, [4, 7], tmp_path / "conv2", "title")
    drawing.write_series(moments, [4, 7], tmp_path / "series")
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["conv2.pdf", "conv2.png"]
    with Image.open(tmp_path / "series" / "epoch-00001.png") as strip:
        first, second = np.split(np.asarray(strip), [-drawing.CELL])
        assert second.min() == second.max()  # the second map, below, did not fire yet
        assert first.min() < first.max()
    curves = pd.DataFrame({
        "seed": [0, 0, 1, 1], "layer": "conv2", "step": [10, 20, 10, 20],
        "correlation": [0.2, 1, 0.3, 1], "cka": [0.4, 1, 0.5, 1],
        "changed": [None, 0.5, None, 0.25],
    })  # fmt: skip
    drawing.draw_convergence(curves.astype({"changed": float}), tmp_path / "c", "title")
    assert (tmp_path / "c.png").is_file()
