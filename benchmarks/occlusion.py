"""Places of a grey square a second, on the full-width ZFNet at 224.

    python -m benchmarks.occlusion

Ours, which works out only what the square can change; the same network on whole covered images, in
batches; and captum's `Occlusion`, 32 places a batch: on pytorchcv's ZFNet, as one would use it, and
on our own network as `load` gives it (channels_last), where it has least to do. One image, a square
of 32 pixels at a stride of 8, fp32, in turns. On our network all must lose the same probability at
every place, which is checked. Writes benchmarks/results/occlusion.json.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import Occlusion
from pytorchcv.model_provider import get_model
from torch import Tensor, nn

from benchmarks.deconv import CROP, network, seconds
from zfrepro.elements.occlusion.measure import Occluded, Square, occlude
from zfrepro.files import write_json
from zfrepro.interp.chain import Chain
from zfrepro.interp.responses import respond
from zfrepro.models.memory import keep_freed_memory

SQUARE = Square(side=32, stride=8, value=128.0)
BATCH, CAPTUMS_BATCH = 64, 32
TURNS = 3
RESULT = Path(__file__).parent / "results" / "occlusion.json"

Floats = npt.NDArray[np.float64]


def whole(chain: Chain, image: Tensor, grey: Tensor, label: int) -> Floats:
    """The label's probability at each place, from whole covered images."""
    starts = SQUARE.starts(CROP)
    places = [(top, left) for top in starts for left in starts]
    found = []
    for start in range(0, len(places), BATCH):
        part = places[start : start + BATCH]
        covered = image.repeat(len(part), 1, 1, 1).to(memory_format=torch.channels_last)
        for each, (top, left) in zip(covered, part, strict=True):
            here = slice(top, top + SQUARE.side), slice(left, left + SQUARE.side)
            each[:, *here] = grey[:, *here]
        found.append(respond(chain, covered, ["conv5"])[1].softmax(1)[:, label])
    return torch.cat(found).double().numpy().reshape(len(starts), len(starts))


def captums(net: nn.Module, image: Tensor, grey: Tensor, label: int) -> Floats:
    """The mean loss of the squares over each pixel."""
    size, step = (3, SQUARE.side, SQUARE.side), (3, SQUARE.stride, SQUARE.stride)
    with torch.inference_mode():
        found = Occlusion(nn.Sequential(net, nn.Softmax(1))).attribute(
            image[None], size, step, baselines=grey[None], target=label,
            perturbations_per_eval=CAPTUMS_BATCH,
        )  # fmt: skip
    lost: Floats = found[0, 0].double().numpy()
    return lost


def per_pixel(found: Occluded) -> Floats:
    """Ours in captum's terms."""
    lost, times = np.zeros((CROP, CROP)), np.zeros((CROP, CROP))
    for i, top in enumerate(found.rows):
        for j, left in enumerate(found.columns):
            here = slice(top, top + SQUARE.side), slice(left, left + SQUARE.side)
            lost[here] += found.clean_probability - found.probability[i, j]
            times[here] += 1
    return lost / times


def check(what: str, ours: Floats, theirs: Floats) -> None:
    """Raises where two differ by more than rounding."""
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    if error > 1e-3:
        raise AssertionError(f"ours differs from {what} by {error:.2g}")


def main() -> None:
    keep_freed_memory()
    torch.manual_seed(0)
    net = network("lrn").to(memory_format=torch.channels_last)
    with torch.no_grad():  # so that a square tells: untrained, all classes are as probable
        net.fc8.weight.mul_(100)
    chain = Chain(net)
    image, grey = 60 * torch.randn(3, CROP, CROP), torch.full((3, CROP, CROP), 10.0)
    label = int(net(image[None]).argmax())

    theirs = get_model("zfnet").eval()

    def ours() -> Occluded:
        return occlude(chain, image, grey, SQUARE, "conv5", label)

    found = ours()
    check("whole images", found.probability, whole(chain, image, grey, label))
    check("captum", per_pixel(found), captums(net, image, grey, label))
    tasks = {
        "ours": ours,
        "whole images": lambda: whole(chain, image, grey, label),
        "captum": lambda: captums(theirs, image, grey, label),
        "captum on ours": lambda: captums(net, image, grey, label),
    }
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(TURNS):
        for name, task in tasks.items():
            rates[name].append(found.probability.size / seconds(task))
    rate = {name: statistics.median(each) for name, each in rates.items()}
    result = {
        "places a second": rate,
        "ours / captum": rate["ours"] / rate["captum"],
        "our network: ours / captum": rate["ours"] / rate["captum on ours"],
        "ours / whole images": rate["ours"] / rate["whole images"],
    }
    print(
        f"places a second: ours {rate['ours']:.0f}, whole images {rate['whole images']:.0f}, "
        f"captum {rate['captum']:.1f} on pytorchcv's ZFNet: {result['ours / captum']:.1f} times "
        f"(at least 5), {rate['captum on ours']:.1f} on ours: "
        f"{result['our network: ours / captum']:.1f} times"
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
