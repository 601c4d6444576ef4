"""Every analysis gives on a GPU what it gives on the CPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.interp.networks import CLASSES, CROP, NETWORKS, images, zf_like
from tests.training.conftest import TinySet
from zfrepro.data.annotations import Point
from zfrepro.data.crops import subtract_mean, ten_crops
from zfrepro.devices import device_of
from zfrepro.elements.correspondence import measure as correspondence
from zfrepro.elements.evolution import measure as evolution
from zfrepro.elements.features import measure as features
from zfrepro.elements.invariance import measure as invariance
from zfrepro.elements.invariance.measure import Transformation
from zfrepro.elements.occlusion.measure import Square, occlude
from zfrepro.interp import top_activations
from zfrepro.interp.chain import Chain
from zfrepro.interp.deconv import Deconvnet
from zfrepro.interp.deconv import strongest as peaks
from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm
from zfrepro.training.trained import Trained, centred, probabilities, views

GPU = device_of("gpu")
CPU = torch.device("cpu")

Compute = Callable[[torch.device, Callable[[], nn.Sequential]], Any]


def project(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    deconvnet = Deconvnet(make().to(device))
    seen = deconvnet.see(images(4).to(device), "conv5")
    found = deconvnet.project(seen, peaks(seen, [0, 3]), batch=3)
    return found.whole(CROP, CROP), found.tops, found.lefts


def fixed(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    deconvnet = Deconvnet(make().to(device))
    found = evolution.fixed_images(deconvnet, "conv5", [0, 3], images(2).to(device))
    return found, evolution.correlations(found, found.flip(0))


def best(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    chain, pixels = Chain(make().to(device)), images(20).to(device)
    parts = [(np.arange(i, i + 5), pixels[i : i + 5]) for i in range(0, 20, 5)]
    table = top_activations.to_table(top_activations.strongest(chain, ["conv1", "conv5"], parts))
    return [table[column].to_numpy() for column in top_activations.COLUMNS if column != "layer"]


def panels(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    deconvnet, pixels = Deconvnet(make().to(device)), images(20).to(device)
    table = top_activations.to_table(
        top_activations.strongest(deconvnet.chain, ["conv5"], [(np.arange(20), pixels)])
    )
    found = features.panels(
        deconvnet, table, "conv5", [0, 3],
        lambda numbers: pixels[torch.from_numpy(numbers).to(device)],
        lambda numbers: np.zeros((len(numbers), CROP, CROP, 3), np.float32),
    )  # fmt: skip
    return [panel.projections for panel in found]


def occluded(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    chain, image = Chain(make().to(device)), images(1)[0].to(device)
    found = occlude(chain, image, torch.zeros_like(image), Square(9, 4, 0), "conv5", batch=17)
    return found.activation, found.probability, found.best


def moved(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    pictures = (images(1, seed=3)[0].permute(1, 2, 0) * 40 + 128).to(device)
    wanted = [Transformation("rotation", 30.0), Transformation("scale", 1.4)]
    inputs = invariance.transformed(
        pictures, torch.full_like(pictures, 120), CROP, [Transformation.none(), *wanted]
    )
    table = invariance.curves(Chain(make().to(device)), inputs, wanted, None, ["conv1", "fc7"])
    return inputs, table[["distance", "relative", "probability"]].to_numpy()


def consistent(device: torch.device, make: Callable[[], nn.Sequential]) -> Any:
    pixels = images(5).to(device)
    landmarks = [{"nose": Point(20.0, 22.0)}] * len(pixels)
    found = correspondence.consistency(
        Chain(make().to(device)), pixels, torch.zeros_like(pixels[0]), landmarks, 6,
        ["conv5", "fc7"], draws=2, seed=0,
    )  # fmt: skip
    return [each.changed for each in found.values()]


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize(
    "compute", [project, fixed, best, panels, occluded, moved, consistent]
)  # fmt: skip
def test_an_analysis_is_the_same(compute: Compute, make: Callable[[], nn.Sequential]) -> None:
    for here, there in zip(compute(CPU, make), compute(GPU, make), strict=True):
        ours, theirs = (
            torch.as_tensor(np.array(each) if isinstance(each, np.ndarray) else each).cpu().double()
            for each in (here, there)
        )
        # shares of thousands of features, of which one or the other is at the edge of rounding
        least = 1e-3 if compute is consistent else 1e-5 * max(float(ours.abs().max()), 1)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=least)


def network(device: torch.device) -> Trained:
    net = zf_like()
    classes = [(str(i), str(i)) for i in range(CLASSES)]
    return Trained(net, torch.full((64, 64, 3), 120.0), 64, CROP, classes, "bicubic").to(device)  # type: ignore[arg-type]


def test_predictions_are_the_same() -> None:
    split = TinySet().split("val")
    pixels = split.read(np.arange(8))
    places = views("ten", 64, CROP)
    torch.testing.assert_close(
        probabilities(network(GPU), pixels, places).cpu(),
        probabilities(network(CPU), pixels, places), rtol=1e-3, atol=1e-5,
    )  # fmt: skip
    assert centred(network(GPU), pixels[:, :CROP, :CROP]).device.type == "cuda"
    assert centred(network(CPU), pixels[:, :CROP, :CROP]).device.type == "cpu"


def test_crops_lose_the_same_mean() -> None:
    rng = np.random.default_rng(0)
    cut, mean = rng.integers(256, size=(10, 28, 28, 3), dtype=np.uint8), rng.random((32, 32, 3))
    places = ten_crops(32, 28)
    arguments = [
        torch.from_numpy(each)
        for each in (cut, mean.astype(np.float32) * 255, places.tops, places.lefts, places.flips)
    ]
    here, there = subtract_mean(*arguments), subtract_mean(*(each.cuda() for each in arguments))
    assert torch.equal(here, there.cpu())


@pytest.mark.parametrize("norm", [LocalResponseNorm(5, 2.0, 1e-2, 0.75), LocalContrastNorm(5, 1.5)])
def test_normalisations_and_their_gradients_are_the_same(norm: nn.Module) -> None:
    found = []
    for device in (CPU, GPU):
        x = images(4).to(device).requires_grad_()
        y = norm.to(device)(x)
        y.square().sum().backward()
        assert x.grad is not None
        found.append((y.detach().cpu(), x.grad.cpu()))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
