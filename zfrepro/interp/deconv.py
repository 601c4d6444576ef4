"""The deconvnet (section 2.1): which pixels made an activation what it is.

One activation is kept and all others of its layer are set to 0; then down to the pixels, layer by
layer: unpool with that image's switches, rectify, apply the transposed filters. Contrast
normalisation is passed through, biases play no part. Overlapping pools may share a switch: what
comes down to it is added.

Only the pixels in an activation's receptive field can get anything, so windows of maps are worked
on instead of whole maps. Images and maps are batched together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zfrepro.interp.chain import Chain, ChainError, Step, window

Rectify = Callable[[str, Tensor], Tensor]  # by a ReLU's name, on the way down
GOES_BACK = ("conv", "relu", "pool", "norm", "flatten", "fc", "average")


@dataclass(frozen=True)
class Picks:
    """K activations of one layer: of which image and map, and where in the map.

    All int64 (K,); `rows` and `columns` are 0 for a linear layer's units.
    """

    images: Tensor
    maps: Tensor
    rows: Tensor
    columns: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice | Tensor) -> Picks:
        return Picks(self.images[part], self.maps[part], self.rows[part], self.columns[part])

    def to(self, device: torch.device) -> Picks:
        """The same numbers on this device."""
        fields = (self.images, self.maps, self.rows, self.columns)
        return Picks(*(each.to(device) for each in fields))


@dataclass(frozen=True)
class Projections:
    """K windows of pixels, (K, C, h, w), and the row and column of each one's first pixel.

    A window may reach over the image's edge; it is 0 there.
    """

    pixels: Tensor
    tops: Tensor
    lefts: Tensor

    def whole(self, height: int, width: int) -> Tensor:
        """The same on whole images, (K, C, height, width)."""
        return _fit(self, height, width, whole=True).pixels


@dataclass(frozen=True)
class Seen:
    """What a forward pass leaves for the way back: of N images, up to one layer.

    Args:
        values: the layer's activations, (N, maps, h, w) or (N, units).
        shapes: of each step's input, without the images.
        switches: by step: where in each image's map each pooled value came from, (N, maps, h, w).
    """

    layer: str
    values: Tensor
    shapes: list[tuple[int, ...]]
    switches: dict[int, Tensor]

    def at(self, picks: Picks) -> Tensor:
        """The picked activations, (K,)."""
        return _as_maps(self.values)[picks.images, picks.maps, picks.rows, picks.columns]


class Deconvnet:
    """Projects activations of any named layer of `net` back to its input.

    Raises:
        ChainError: the network is not a chain of layers.
    """

    def __init__(self, net: nn.Module) -> None:
        self.chain = Chain(net)

    @torch.inference_mode()
    def see(self, images: Tensor, layer: str) -> Seen:
        """Runs the network on images (N, C, H, W) up to `layer` and keeps the switches.

        Raises:
            ChainError: no such layer, or a step below it that cannot be gone back.
        """
        shapes, switches, x = [], {}, images
        for i, step in enumerate(self.chain.steps[: self.chain.end(layer)]):
            if step.kind not in GOES_BACK:
                kind = type(step.module).__name__ if step.module else "a function"
                raise ChainError(f"{step.name} ({kind}) stands below {layer}: no way back there")
            shapes.append(tuple(x.shape[1:]))
            if step.kind == "pool":
                x, switches[i] = _pool(step, x)
            else:
                x = step.run(x)
            if step.kind == "average" and tuple(x.shape[1:]) != shapes[-1]:
                raise ChainError(
                    f"{step.name} averages {shapes[-1][1]}x{shapes[-1][2]} to "
                    f"{x.shape[2]}x{x.shape[3]} below {layer}: a mean has no way back"
                )
        return Seen(layer, x, shapes, switches)

    @torch.inference_mode()
    def project(self, seen: Seen, picks: Picks, batch: int = 64) -> Projections:
        """The pixels that the picked activations come from.

        Args:
            batch: how many picks are worked on at a time.

        Raises:
            ChainError: a pick outside the images, the maps or a map.
        """
        picks = picks.to(seen.values.device)
        _check(picks, seen)
        parts = [
            self._down(seen, picks[start : start + batch]) for start in range(0, len(picks), batch)
        ]
        if not parts:
            empty = picks.rows
            return Projections(seen.values.new_zeros(0, *seen.shapes[0]), empty, empty)
        size = parts[0].pixels.shape
        if any(part.pixels.shape[1:] != size[1:] for part in parts):
            parts = [_fit(part, *seen.shapes[0][1:], whole=True) for part in parts]
        fields = zip(*((part.pixels, part.tops, part.lefts) for part in parts), strict=True)
        return Projections(*(torch.cat(field) for field in fields))

    @torch.inference_mode()
    def cut(self, seen: Seen, picks: Picks, batch: int = 64) -> dict[str, float]:
        """Of each ReLU below the layer the share of what comes down to it that it sets to 0.

        Of the values that are not 0 before: the negative ones. From the pixels up.

        Raises:
            ChainError: as of `project`.
        """
        picks = picks.to(seen.values.device)
        _check(picks, seen)
        negative: Counter[str] = Counter()
        given: Counter[str] = Counter()

        def count(relu: str, pixels: Tensor) -> Tensor:
            negative[relu] += int((pixels < 0).sum())
            given[relu] += int((pixels != 0).sum())
            return pixels.clamp_min(0)

        for start in range(0, len(picks), batch):
            self._down(seen, picks[start : start + batch], count)
        below = self.chain.steps[: len(seen.shapes) - 1]  # the last step is the layer's own ReLU
        relus = [step.name for step in below if given[step.name]]
        return {name: negative[name] / given[name] for name in relus}

    def _down(self, seen: Seen, picks: Picks, rectify: Rectify | None = None) -> Projections:
        """From the picked activations to the pixels, step by step.

        `state` holds a window of the maps of a step for each of the K picks, (K, maps, h, w): at
        first one position with the picked value in its own map and 0 in all others.
        """
        state = _seed(seen, picks)
        for i in reversed(range(len(seen.shapes))):
            step, shape = self.chain.steps[i], seen.shapes[i]
            if step.kind == "relu":
                pixels = rectify(step.name, state.pixels) if rectify else state.pixels.clamp_min(0)
                state = Projections(pixels, state.tops, state.lefts)
            elif step.kind == "fc":
                assert isinstance(step.module, nn.Linear)  # noqa: S101  by its kind
                units = state.pixels.flatten(1) @ step.module.weight
                state = Projections(units[:, :, None, None], state.tops, state.lefts)
            elif step.kind == "flatten":
                state = Projections(state.pixels.reshape(-1, *shape), state.tops, state.lefts)
            elif step.kind == "conv":
                state = _fit(_transpose(step.module, state), *shape[1:])
            elif step.kind == "pool":
                state = _fit(
                    _unpool(step.module, state, seen.switches[i], picks, shape), *shape[1:]
                )
        return state


def strongest(seen: Seen, maps: Sequence[int] | None = None) -> Picks:
    """Of each image the peak of each of `maps` (all, if None), image by image.

    Raises:
        ChainError: a map that the layer does not have.
    """
    values = _as_maps(seen.values)
    images, available, _, width = values.shape
    wanted = range(available) if maps is None else maps
    chosen = torch.tensor(list(wanted), device=values.device)
    _check_range("map", chosen, available, seen.layer)
    peaks = values[:, chosen].flatten(2).argmax(2).flatten()
    of_image = torch.arange(images, device=values.device).repeat_interleave(len(chosen))
    return Picks(of_image, chosen.repeat(images), peaks // width, peaks % width)


def _as_maps(values: Tensor) -> Tensor:
    """(N, maps, h, w), where the units of a linear layer are maps of one pixel."""
    return values if values.dim() == 4 else values[:, :, None, None]


def _seed(seen: Seen, picks: Picks) -> Projections:
    """One position of the layer's maps: the picked value in its map, 0 in all others."""
    pixels = seen.values.new_zeros(len(picks), seen.values.shape[1], 1, 1)
    pixels[torch.arange(len(picks)), picks.maps, 0, 0] = seen.at(picks)
    return Projections(pixels, picks.rows, picks.columns)


def _pool(step: Step, x: Tensor) -> tuple[Tensor, Tensor]:
    module = step.module
    assert isinstance(module, nn.MaxPool2d)  # noqa: S101  by its kind
    switching: tuple[Tensor, Tensor] = functional.max_pool2d(
        x,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        ceil_mode=module.ceil_mode,
        return_indices=True,
    )
    return switching


def _transpose(module: nn.Module | None, state: Projections) -> Projections:
    """The filters of a convolution applied backwards, over all that a window touches."""
    assert isinstance(module, nn.Conv2d)  # noqa: S101  by its kind
    _, stride, padding = window(module)
    pixels = functional.conv_transpose2d(
        state.pixels, module.weight, None, module.stride, 0, 0, module.groups, module.dilation
    )
    return Projections(
        pixels, state.tops * stride[0] - padding[0], state.lefts * stride[1] - padding[1]
    )


def _unpool(
    module: nn.Module | None,
    state: Projections,
    switches: Tensor,
    picks: Picks,
    shape: tuple[int, ...],
) -> Projections:
    """Each value goes to where its maximum was; what meets there is added."""
    kernel, stride, padding = window(module)
    pixels = state.pixels
    count, maps, height, width = pixels.shape
    tops = state.tops * stride[0] - padding[0]
    lefts = state.lefts * stride[1] - padding[1]
    size = ((height - 1) * stride[0] + kernel[0], (width - 1) * stride[1] + kernel[1])
    rows = _places(state.tops, height, switches.shape[2])
    columns = _places(state.lefts, width, switches.shape[3])
    places = switches[
        picks.images[:, None, None, None],
        torch.arange(maps, device=switches.device)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    down = places // shape[2] - tops[:, None, None, None]
    right = places % shape[2] - lefts[:, None, None, None]
    # where the window reaches over the map's edge there is nothing to place: any target will do
    target = (down * size[1] + right).clamp(0, size[0] * size[1] - 1)
    unpooled = pixels.new_zeros(count, maps, size[0] * size[1])
    unpooled.scatter_add_(2, target.flatten(2), pixels.flatten(2))
    return Projections(unpooled.view(count, maps, *size), tops, lefts)


def _places(starts: Tensor, length: int, size: int) -> Tensor:
    """(K, length): the rows of each window, those outside the map moved to its edge."""
    return (starts[:, None] + torch.arange(length, device=starts.device)).clamp(0, size - 1)


def _fit(state: Projections, height: int, width: int, *, whole: bool = False) -> Projections:
    """The windows without what lies outside a map of height x width.

    What lies outside becomes 0. Windows as large as the map become the map, as all do with `whole`.
    """
    pixels, tops, lefts = state.pixels, state.tops, state.lefts
    count, maps, h, w = pixels.shape
    if whole or h >= height or w >= width:
        placed = pixels.new_zeros(count, maps, height, width)
        for out, source, top, left in zip(
            placed, pixels, tops.tolist(), lefts.tolist(), strict=True
        ):
            down, right = slice(max(top, 0), top + h), slice(max(left, 0), left + w)
            part = source[:, max(-top, 0) : height - top, max(-left, 0) : width - left]
            out[:, down, right] = part
        return Projections(placed, torch.zeros_like(tops), torch.zeros_like(lefts))
    inside = [
        (starts[:, None] + torch.arange(length, device=starts.device))
        for starts, length in ((tops, h), (lefts, w))
    ]
    kept = [(at >= 0) & (at < size) for at, size in zip(inside, (height, width), strict=True)]
    if not all(bool(each.all()) for each in kept):
        pixels = pixels * (kept[0][:, None, :, None] & kept[1][:, None, None, :])
    return Projections(pixels, tops, lefts)


def _check(picks: Picks, seen: Seen) -> None:
    shape = _as_maps(seen.values).shape
    sizes = dict(zip(("image", "map", "row", "column"), shape, strict=True))
    chosen = (picks.images, picks.maps, picks.rows, picks.columns)
    for (what, size), each in zip(sizes.items(), chosen, strict=True):
        _check_range(what, each, size, seen.layer)


def _check_range(what: str, chosen: Tensor, size: int, layer: str) -> None:
    outside = chosen[(chosen < 0) | (chosen >= size)]
    if len(outside):
        raise ChainError(
            f"{layer} has no {what} {int(outside[0])}: it has {size}, numbered 0 to {size - 1}"
        )
