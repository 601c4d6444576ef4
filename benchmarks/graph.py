"""Projections a second on torchvision's ResNet-18 at 224, a network with branches.

    python -m benchmarks.graph

The peaks of the maps of block layer3.1 in two images, ours in one call against captum's
`Deconvolution` on the network up to that block, with every ReLU a module of its own: a target a
call, as it is used, and all targets in one call, a copy of the image for each. In fp32, in turns;
both must give the same pixels, which is checked. Writes benchmarks/results/graph.json.
"""

from __future__ import annotations

import statistics
import time
import warnings
from pathlib import Path

import torch
from captum.attr import Deconvolution
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

from zfrepro.files import write_json
from zfrepro.interp.deconv import Picks, strongest
from zfrepro.interp.graph_deconv import GraphDeconvnet
from zfrepro.models.memory import keep_freed_memory

IMAGES, MAPS, CROP, LAYER = 2, 16, 224, "layer3.1"
TURNS = 5
RESULT = Path(__file__).parent / "results" / "graph.json"


class Block(nn.Module):
    """A residual block whose two ReLUs are two modules, which captum needs."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__()
        self.first = nn.Sequential(block.conv1, block.bn1, nn.ReLU(), block.conv2, block.bn2)
        self.beside = block.downsample or nn.Identity()
        self.last = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.first(x) + self.beside(x))
        return found


def rewritten(net: nn.Module) -> nn.Module:
    """ResNet-18 up to LAYER."""
    stages = [Block(block) for stage in (net.layer1, net.layer2, net.layer3) for block in stage]
    return nn.Sequential(net.conv1, net.bn1, nn.ReLU(), net.maxpool, *stages).eval()


def by_captum(captum: Deconvolution, images: Tensor, picks: Picks, batch: int) -> Tensor:
    """Of activations of 1, so many at a time."""
    places = [picks.maps, picks.rows, picks.columns]
    targets = list(zip(*(each.tolist() for each in places), strict=True))
    found = [
        captum.attribute(
            images[picks.images[i : i + batch]], target=targets[i : i + batch]
        ).detach()
        for i in range(0, len(picks), batch)
    ]
    return torch.cat(found)


def main() -> None:
    warnings.filterwarnings("ignore")  # captum's, of the hooks that it sets
    keep_freed_memory()
    torch.manual_seed(0)
    net = resnet18(weights=None).eval()
    images = torch.randn(IMAGES, 3, CROP, CROP)
    ours, captum = GraphDeconvnet(net, CROP), Deconvolution(rewritten(net))
    seen = ours.see(images, LAYER)
    order = seen.values.amax((2, 3)).argsort(descending=True)[:, :MAPS]
    picks = strongest(seen, order[0].tolist())
    picks = picks[seen.at(picks) > 0]

    def project() -> Tensor:
        found = ours.see(images, LAYER)
        return ours.project(found, picks).pixels

    ways = {
        "ours": project,
        "captum, a target a call": lambda: by_captum(captum, images, picks, 1),
        "captum, all targets in one call": lambda: by_captum(captum, images, picks, len(picks)),
    }
    theirs = ways["captum, all targets in one call"]() * seen.at(picks)[:, None, None, None]
    difference = float((project() - theirs).abs().max() / theirs.abs().max())
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            rates[name].append(len(picks) / (time.perf_counter() - started))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratios = {
        f"ours / {name}": medians["ours"] / rate for name, rate in medians.items() if name != "ours"
    }
    for name, rate in medians.items():
        print(f"{name}: {rate:.1f} projections/s")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f}")
    write_json(RESULT, {
        "projections_per_second": medians, **ratios, "largest difference": difference,
        "rounds": rates,
    })  # fmt: skip


if __name__ == "__main__":
    main()
