"""The deconvnet on a network with branches.

Every operation is gone back by its own gradient, and a ReLU by max(p, 0) of what comes (Mahendran
and Vedaldi 2016, "Salient deconvolutional networks"): an addition hands the same signal to both
sides, a fork adds, a concatenation splits, batch normalisation in evaluation multiplies by
gamma / sqrt(variance + eps), average pooling spreads evenly, max pooling goes to its switches.
Biases play no part, and contrast normalisation is passed through, as in the paper (section 2.1).
What is no ReLU but not linear either (GELU, SiLU, attention, squeeze and excitation) is refused.

Signals are worked on as (R, N, ...): R rounds for each of the N images of one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import (
    Deconvnet,
    Picks,
    Projections,
    Seen,
    _as_maps,
    _check,
)
from zfrepro.interp.graph import Graph, Node, Run, order, parts

# linear in what they take, so that their own gradient is the way back
LINEAR = {
    "AdaptiveAvgPool2DBackward0", "AliasBackward0", "AsStridedBackward0", "AsStridedBackward1",
    "AvgPool2DBackward0",
    "CatBackward0", "CloneBackward0", "ConstantPadNdBackward0", "ConvolutionBackward0",
    "ExpandBackward0", "IndexSelectBackward0", "MeanBackward0", "MeanBackward1", "NegBackward0",
    "PermuteBackward0", "PixelShuffleBackward0", "ReflectionPad2DBackward0",
    "ReplicationPad2DBackward0", "ReshapeAliasBackward0", "SelectBackward0", "SliceBackward0",
    "SplitBackward0", "SplitWithSizesBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "SqueezeBackward2", "StackBackward0", "SubBackward0", "SumBackward0", "SumBackward1",
    "TBackward0", "ToCopyBackward0", "TransposeBackward0", "UnbindBackward0", "UnsafeViewBackward0",
    "UnsqueezeBackward0", "UpsampleBilinear2DBackward0", "UpsampleNearest2DBackward0",
    "ViewBackward0",
}  # fmt: skip
# linear where all but one of what they take are constants
PRODUCTS = {
    "AddmmBackward0", "BmmBackward0", "DivBackward0", "LinearBackward0", "MmBackward0",
    "MulBackward0",
}  # fmt: skip
RELUS = {"ReluBackward0", "HardtanhBackward0", "ThresholdBackward0", "ClampMinBackward0"}
BATCH_NORMS = {
    "NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0",
}  # fmt: skip

Back = Callable[[Node, Tensor], Sequence[Tensor | None]]


@dataclass(frozen=True)
class SeenRun(Seen):
    """A forward pass whose graph is the way back; `shapes` has that of the images alone."""

    run: Run


class GraphDeconvnet:
    """Projects activations of any layer of `net` back to its input; used as `Deconvnet` is.

    Raises:
        ChainError: it does not take images of this size, or is in training mode.
    """

    def __init__(self, net: nn.Module, crop: int) -> None:
        self.chain = Graph(net, crop)

    def see(self, images: Tensor, layer: str) -> SeenRun:
        """Runs the network on images (N, C, H, W) up to `layer` and keeps its graph.

        Raises:
            ChainError: no such layer, or an operation below it that has no way back.
        """
        self.chain.shape(layer)
        run = self.chain.run(images, [layer], ends=True)
        for node in order(run.outputs[layer].node):
            if node is not run.source:
                _check_node(node, run, layer)
        return SeenRun(layer, run.values[layer], [tuple(images.shape[1:])], {}, run)

    @torch.no_grad()
    def project(self, seen: Seen, picks: Picks, batch: int = 64) -> Projections:
        """The pixels that the picked activations come from.

        Windows of what a unit sees, where that is less than the image; else whole images.

        Args:
            batch: about how many picks are worked on at a time.

        Raises:
            ChainError: a pick outside the images, the maps or a map.
        """
        seen = cast(SeenRun, seen)
        picks = picks.to(seen.values.device)
        _check(picks, seen)
        images, values = len(seen.values), seen.at(picks)
        # the r-th pick of an image is in round r
        rounds = _nth_of_its_kind(picks.images)
        at_a_time = max(1, batch // images)
        pixels = seen.values.new_zeros(len(picks), *seen.shapes[0])
        for first in range(0, int(rounds.max()) + 1 if len(picks) else 0, at_a_time):
            now = ((rounds >= first) & (rounds < first + at_a_time)).nonzero().flatten()
            own, which = rounds[now] - first, picks[now]
            seed = seen.values.new_zeros(int(own.max()) + 1, *_as_maps(seen.values).shape)
            seed[own, which.images, which.maps, which.rows, which.columns] = values[now]
            seed = seed.view(len(seed), *seen.values.shape)
            pixels[now] = _down(seen.run, seen.layer, seed)[own, which.images]
        return self._cut(pixels, seen.layer, picks)

    def _cut(self, pixels: Tensor, layer: str, picks: Picks) -> Projections:
        """The windows of whole images (K, C, H, W) that the picked units see."""
        fields, (height, width) = self.chain.fields(layer), pixels.shape[2:]
        if fields is None or fields[0].size >= height or fields[1].size >= width or not len(picks):
            return Projections(pixels, torch.zeros_like(picks.rows), torch.zeros_like(picks.rows))
        down, across = fields
        tops = down.offset + picks.rows * down.stride
        lefts = across.offset + picks.columns * across.stride
        above, before = max(-int(tops.min()), 0), max(-int(lefts.min()), 0)
        below = max(int(tops.max()) + down.size - height, 0)
        after = max(int(lefts.max()) + across.size - width, 0)
        wide = functional.pad(pixels, (before, after, above, below))
        places = zip(wide, (tops + above).tolist(), (lefts + before).tolist(), strict=True)
        windows = [each[:, i : i + down.size, j : j + across.size] for each, i, j in places]
        return Projections(torch.stack(windows), tops, lefts)


def deconvnet(net: nn.Module, crop: int) -> Deconvnet | GraphDeconvnet:
    """The deconvnet of a network: by windows where it is one chain of layers, else by its graph.

    Args:
        crop: width of the images that it takes.

    Raises:
        ChainError: the network can be read in neither way.
    """
    try:
        found = Deconvnet(net)
    except ChainError:
        return GraphDeconvnet(net, crop)
    parameter = next(net.parameters())
    images = torch.zeros(1, 3, crop, crop, device=parameter.device, dtype=parameter.dtype)
    try:
        found.see(images, found.chain.layers[-1])
    except ChainError:  # one of its steps has no way back as a chain
        try:
            return GraphDeconvnet(net, crop)
        except ChainError:  # what lies below that step can be gone back from
            return found
    return found


def _down(run: Run, layer: str, seed: Tensor) -> Tensor:
    """The signal `seed` (R, N, ...) at a layer's output, brought down to the pixels."""
    output = run.outputs[layer]
    signals: dict[Node, dict[int, Tensor]] = {output.node: {output.number: seed}}
    for node in order(output.node):
        arrived = signals.pop(node, {})
        if node is run.source:
            return arrived[0] if arrived else seed.new_zeros(*seed.shape[:2], 0)
        if not arrived:
            continue
        below = _back(node, arrived)
        for (source, number), signal in zip(node.next_functions, below, strict=True):
            if source is not None and signal is not None:
                own = signals.setdefault(source, {})
                own[number] = own[number] + signal if number in own else signal
    raise ChainError(f"{layer} does not depend on the image")


def _back(node: Node, arrived: dict[int, Tensor]) -> Sequence[Tensor | None]:
    if (special := SPECIAL.get(node.name())) is not None and set(arrived) == {0}:
        return special(node, arrived[0])
    # any other: the node's own gradient, a round at a time
    count = max(arrived) + 1
    rounds = len(next(iter(arrived.values())))
    given = [[arrived[i][r] if i in arrived else None for i in range(count)] for r in range(rounds)]
    found = [_tuple(node(*each)) for each in given]
    return [
        None if any(each is None for each in parts_) else torch.stack(parts_)
        for parts_ in zip(*found, strict=True)
    ]


def _tuple(found: Any) -> tuple[Tensor | None, ...]:
    return found if isinstance(found, tuple) else (found,)


def _relu(_: Node, signal: Tensor) -> Sequence[Tensor]:
    return [signal.clamp_min(0)]


def _convolution(node: Node, signal: Tensor) -> Sequence[Tensor | None]:
    """By the transposed filters, all rounds at once."""
    rounds, images = signal.shape[:2]
    if node._saved_transposed:
        return [torch.stack([node(each)[0] for each in signal]), None, None]
    shape = (rounds * images, *node._saved_input.shape[1:])
    below: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
        shape, node._saved_weight, signal.flatten(0, 1), node._saved_stride, node._saved_padding,
        node._saved_dilation, node._saved_groups,
    )  # fmt: skip
    return [below.view(rounds, images, *shape[1:]), None, None]


def _batch_norm(node: Node, signal: Tensor) -> Sequence[Tensor | None]:
    epsilon = node._saved_eps if hasattr(node, "_saved_eps") else node._saved_epsilon
    scale = (node._saved_running_var + epsilon).rsqrt()
    if node._saved_weight is not None:
        scale = scale * node._saved_weight
    return [signal * scale[:, None, None], *[None] * (len(node.next_functions) - 1)]


def _max_pool(node: Node, signal: Tensor) -> Sequence[Tensor]:
    """Each value to its switch; what meets there is added."""
    switches, shape = node._saved_result1, node._saved_self.shape
    below = signal.new_zeros(len(signal), *shape[:2], shape[2] * shape[3])
    below.scatter_add_(3, switches.flatten(2).expand(len(signal), -1, -1, -1), signal.flatten(3))
    return [below.view(len(signal), *shape)]


SPECIAL: dict[str, Back] = {
    **dict.fromkeys(RELUS, _relu),
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    "ConvolutionBackward0": _convolution,
    "MaxPool2DWithIndicesBackward0": _max_pool,
    "_PassedBackward": lambda _, signal: [signal, None],
}


def _check_node(node: Node, run: Run, layer: str) -> None:
    """Raises ChainError, with the module's name, where an operation has no way back."""
    name = node.name()
    owner = run.owners.get(node, "the network itself")
    word = name.partition("Backward")[0]
    if name in BATCH_NORMS and node._saved_training:
        raise ChainError(f"{owner} normalises by its batch: call eval() on the network first")
    constant = len(parts(node)) == 1
    if name == "HardtanhBackward0" and node._saved_min_val != 0:
        raise ChainError(f"{owner} ({word}) stands below {layer}: it is no ReLU, no way back there")
    if name in ("ThresholdBackward0", "ClampMinBackward0"):
        bound = node._saved_threshold if name.startswith("T") else node._saved_min
        constant = constant and bound == 0
        if not constant:
            raise ChainError(f"{owner} ({word}) stands below {layer}: it is no ReLU, no way back")
    if name in SPECIAL or name in LINEAR or name == "AddBackward0":
        return
    if name in PRODUCTS:
        if constant:
            return
        raise ChainError(
            f"{owner} multiplies or divides activations by each other ({word}) below {layer}: "
            "no way back there"
        )
    raise ChainError(f"{owner} ({word}) stands below {layer}: no way back there")


def _nth_of_its_kind(values: Tensor) -> Tensor:
    """(K,): how many equal values stand before each."""
    order_ = values.argsort(stable=True)
    ordered = values[order_]
    numbers = torch.arange(len(values), device=values.device)
    starts = torch.searchsorted(ordered, ordered)
    found = torch.empty_like(numbers)
    found[order_] = numbers - starts
    return found
