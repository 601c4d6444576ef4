"""What becomes of an image's activations when a window of its pixels changes.

A unit sees only its receptive field, so a small change leaves most of the lower layers as they
were. Of each layer only the window that the change can reach is worked out anew, on what the
unchanged image has around it; from the layer on where that window is most of the map, whole maps.
Many changes of one image, each with its own place, are worked on at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zfrepro.interp.chain import Chain, Step, window
from zfrepro.interp.graph import Graph
from zfrepro.interp.responses import Layers, ends
from zfrepro.models.normalisation import LocalContrastNorm

WHOLE = 0.8  # share of a map from which on all of it is worked out


@dataclass(frozen=True)
class Windows:
    """B windows of maps, (B, maps, h, w), with the first row and column (B,) of each.

    Every window lies inside its map.
    """

    values: Tensor
    tops: Tensor
    lefts: Tensor


class Reruns:
    """Runs a chain on copies of one image that differ from it in one window each.

    Args:
        image: the network's input, (C, H, W).
    """

    def __init__(self, chain: Chain, image: Tensor) -> None:
        self.chain = chain
        self.maps = [image[None]]  # unchanged, before each step and at the end
        with torch.inference_mode():
            for step in chain.steps:
                self.maps.append(step.run(self.maps[-1]))

    @torch.inference_mode()
    def respond(self, changed: Windows, layers: Sequence[str]) -> tuple[Layers, Tensor]:
        """As `responses.respond` of the B changed images: whole activations, and logits.

        Raises:
            ChainError: no such layer.
        """
        wanted = ends(self.chain, layers)
        found: Layers = {}
        state: Windows | Tensor = changed
        for i, step in enumerate(self.chain.steps):
            state = self._after(i, step, state)
            found |= {
                layer: self._whole(end, state) for layer, end in wanted.items() if end == i + 1
            }
        return found, self._whole(len(self.chain.steps), state)

    def _after(self, i: int, step: Step, state: Windows | Tensor) -> Windows | Tensor:
        if isinstance(state, Windows):
            if _is_pointwise(step):
                return Windows(step.run(state.values), state.tops, state.lefts)
            slid = self._slide(i, step, state) if step.kind in ("conv", "pool") else None
            if slid is not None:
                return slid
        return step.run(self._whole(i, state))

    def _slide(self, i: int, step: Step, state: Windows) -> Windows | None:
        """The windows behind a convolution or pool; None where they are most of the map."""
        kernel, stride, padding = window(step.module)
        height, width = self.maps[i + 1].shape[2:]
        h, w = state.values.shape[2:]
        tops, rows = _reached(state.tops, h, kernel[0], stride[0], padding[0], height)
        lefts, columns = _reached(state.lefts, w, kernel[1], stride[1], padding[1], width)
        if rows * columns > WHOLE * height * width:
            return None
        values = _slid(
            step.module,
            _cut(
                self.maps[i],
                state,
                tops * stride[0] - padding[0],
                (rows - 1) * stride[0] + kernel[0],
                lefts * stride[1] - padding[1],
                (columns - 1) * stride[1] + kernel[1],
                beyond=0.0 if step.kind == "conv" else -torch.inf,
            ),
        )
        return Windows(values, tops, lefts)

    def _whole(self, i: int, state: Windows | Tensor) -> Tensor:
        """The maps before step i, with the windows in their places."""
        if isinstance(state, Tensor):
            return state
        first = torch.zeros_like(state.tops)
        height, width = self.maps[i].shape[2:]
        return _cut(self.maps[i], state, first, height, first, width, beyond=0.0)


class WholeReruns:
    """As `Reruns`, of a network with branches: every changed image goes through all of it."""

    def __init__(self, graph: Graph, image: Tensor) -> None:
        self.graph, self.image = graph, image[None]

    @torch.inference_mode()
    def respond(self, changed: Windows, layers: Sequence[str]) -> tuple[Layers, Tensor]:
        """As `responses.respond` of the B changed images."""
        first = torch.zeros_like(changed.tops)
        height, width = self.image.shape[2:]
        images = _cut(self.image, changed, first, height, first, width, beyond=0.0)
        return self.graph.respond(images.contiguous(), layers)


def _is_pointwise(step: Step) -> bool:
    """Whether each place of its output depends on that place alone."""
    if step.kind == "norm":
        return not isinstance(step.module, LocalContrastNorm)
    return step.kind == "relu"


def _reached(
    starts: Tensor, length: int, kernel: int, stride: int, padding: int, size: int
) -> tuple[Tensor, int]:
    """Where the outputs that see [start, start + length) begin, and how many at most there are.

    All windows get this one length; what one has too much is worked out again, and stays the same.
    """
    first = torch.div(starts + padding - kernel, stride, rounding_mode="floor") + 1
    beyond = -torch.div(-(starts + length + padding), stride, rounding_mode="floor")
    first, beyond = first.clamp(0, size - 1), beyond.clamp(1, size)
    count = max(int((beyond - first).max()), 1)
    return first.clamp(max=size - count), count


def _slid(module: nn.Module | None, patches: Tensor) -> Tensor:
    """A convolution or pool on patches that hold all its padding already."""
    if isinstance(module, nn.Conv2d):
        return functional.conv2d(
            patches, module.weight, module.bias, module.stride, 0, module.dilation, module.groups
        )
    assert isinstance(module, nn.MaxPool2d)  # noqa: S101  by its kind
    return functional.max_pool2d(patches, module.kernel_size, module.stride, 0, module.dilation)


def _cut(
    clean: Tensor, state: Windows, tops: Tensor, height: int, lefts: Tensor, width: int,
    beyond: float,
) -> Tensor:  # fmt: skip
    """Patches (B, maps, height, width) of the maps (1, maps, H, W) with the windows laid on them.

    Args:
        beyond: what a patch holds outside the maps.
    """
    maps = clean.shape[1]
    across = [torch.arange(length, device=clean.device) for length in (height, width)]
    rows, columns = tops[:, None] + across[0], lefts[:, None] + across[1]  # (B, height), (B, width)
    batch, _, h, w = state.values.shape
    # one table of places: of the maps, of all the windows, and one that lies beyond
    source = torch.cat([
        clean[0].permute(1, 2, 0).reshape(-1, maps),
        state.values.permute(0, 2, 3, 1).reshape(-1, maps),
        clean.new_full((1, maps), beyond),
    ])  # fmt: skip
    in_map, place = _places(rows, columns, *clean.shape[2:])
    in_window, own = _places(rows - state.tops[:, None], columns - state.lefts[:, None], h, w)
    numbers = torch.arange(batch, device=clean.device)[:, None, None]
    own = own + clean.shape[2] * clean.shape[3] + numbers * (h * w)
    index = torch.where(in_window, own, torch.where(in_map, place, len(source) - 1))
    patches = source.index_select(0, index.flatten())
    return patches.view(batch, height, width, maps).permute(0, 3, 1, 2)


def _places(rows: Tensor, columns: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Which of the places rows x columns lie in a map of this size, and their numbers there."""
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
    return inside, rows[:, :, None] * width + columns[:, None, :]
