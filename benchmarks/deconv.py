"""Projections of layer-5 activations to the pixels of the full-width ZFNet at 224, a second.

    python -m benchmarks.deconv

Ours, several maps of several images in one call, against captum's `Deconvolution`, which takes one
target a call; both in fp32, in turns. captum works on pytorchcv's ZFNet, as one would use it; and
on our own net without normalisation, where it has least to do and where both must give the same
pixels, which is checked. And the pass that finds every map's strongest
images, against a plain forward pass over the same batches. Writes benchmarks/results/deconv.json.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from captum.attr import Deconvolution
from pytorchcv.model_provider import get_model
from torch import Tensor, nn

from zfrepro import config
from zfrepro.files import write_json
from zfrepro.interp.deconv import Deconvnet, Picks, strongest
from zfrepro.interp.top_activations import strongest as strongest_pass
from zfrepro.models.convnet import ConvNet, build
from zfrepro.models.memory import keep_freed_memory

IMAGES, MAPS, CROP, CLASSES = 8, 16, 224, 1000
BATCH, BATCHES = 32, 12
TURNS = 5
RESULT = Path(__file__).parent / "results" / "deconv.json"


def network(normalisation: str) -> ConvNet:
    spec = config.compose(["+experiment=tab3_zfnet", "profile=paper"])["model"]
    net = build(**{**spec, "normalisation": normalisation}, classes=CLASSES, crop=CROP)
    return net.eval()


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def pytorchcvs() -> nn.Module:
    """pytorchcv's ZFNet up to its fifth convolution."""
    features = get_model("zfnet").eval().features
    for module in features.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # captum's hooks cannot have it
    third = features.stage3
    return nn.Sequential(features.stage1, features.stage2, third.unit1, third.unit2, third.unit3)


def projections(net: ConvNet, theirs: nn.Module, *, same: bool) -> dict[str, float]:
    """Projections a second, ours of `net` and captum's of `theirs`.

    Args:
        same: the two are one net, and have to give the same pixels.
    """
    images = 60 * torch.randn(IMAGES, 3, CROP, CROP)
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(images, "conv5")
    picks = strongest(seen, range(MAPS))

    def ours() -> Tensor:
        return deconvnet.project(deconvnet.see(images, "conv5"), picks).whole(CROP, CROP)

    def captums(k: int) -> Tensor:
        image, *place = (int(each[k]) for each in fields(picks))
        return by_captum(theirs, images[image : image + 1], tuple(place))

    mine = ours()
    for k in range(0, len(picks) if same else 0, 41):
        expected = captums(k) * seen.at(picks)[k]
        error = (mine[k] - expected).abs().max() / expected.abs().max()
        if error > 1e-5:
            raise AssertionError(f"projection {k} differs from captum's by {float(error):.2g}")
    rates: dict[str, list[float]] = {"ours": [], "captum": []}
    for turn in range(TURNS):
        rates["ours"].append(len(picks) / seconds(ours))
        rates["captum"].append(4 / seconds(lambda t=turn: [captums(4 * t + i) for i in range(4)]))
    return {name: statistics.median(each) for name, each in rates.items()}


def fields(picks: Picks) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return picks.images, picks.maps, picks.rows, picks.columns


def by_captum(net: nn.Module, image: Tensor, target: tuple[int, ...]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks
        found: Tensor = Deconvolution(net).attribute(image.clone().requires_grad_(), target=target)
    return found[0].detach()


def passes() -> dict[str, float]:
    """Images a second of a forward pass, and of one that keeps the strongest of every map."""
    net = network("lrn").to(memory_format=torch.channels_last)
    chain = Deconvnet(net).chain
    batches = [
        (
            np.arange(i * BATCH, (i + 1) * BATCH),
            (60 * torch.randn(BATCH, 3, CROP, CROP)).to(memory_format=torch.channels_last),
        )
        for i in range(BATCHES)
    ]

    def forward() -> None:
        with torch.inference_mode():
            for _, pixels in batches:
                net(pixels)

    rates: dict[str, list[float]] = {"forward": [], "strongest": []}
    for _ in range(TURNS):
        rates["forward"].append(BATCH * BATCHES / seconds(forward))
        rates["strongest"].append(
            BATCH * BATCHES / seconds(lambda: strongest_pass(chain, chain.layers, batches))
        )
    return {name: statistics.median(each) for name, each in rates.items()}


def main() -> None:
    keep_freed_memory()
    bare = network("none")
    sliced = bare[: list(dict(bare.named_children())).index("relu5") + 1]
    same = projections(bare, sliced, same=True)
    projected = projections(network("lrn"), pytorchcvs(), same=False)
    passed = passes()
    result = {
        "projections a second": {"ZFNet": projected, "without normalisation": same},
        "images a second": passed,
        "ours / captum": projected["ours"] / projected["captum"],
        "without normalisation: ours / captum": same["ours"] / same["captum"],
        "strongest / forward": passed["strongest"] / passed["forward"],
    }
    print(
        f"projections a second: ours {projected['ours']:.0f}, captum on pytorchcv's ZFNet "
        f"{projected['captum']:.1f}: {result['ours / captum']:.1f} times (at least 10)\n"
        f"without normalisation: ours {same['ours']:.0f}, captum {same['captum']:.1f}\n"
        f"images a second: forward {passed['forward']:.0f}, strongest {passed['strongest']:.0f}: "
        f"{result['strongest / forward']:.2f} (at least 0.8)"
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
