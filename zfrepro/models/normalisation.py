"""Contrast normalisation across feature maps: AlexNet's LRN and Jarrett 2009's LCN.

The paper only says "contrast normalised across feature maps" (figure 3); LRN is the usual reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

CHUNK = 2**18  # values worked on at a time on a CPU: a few such buffers stay in its cache
FLAT = 1e-4  # added to LCN's deviation: an image without contrast is not divided by its rounding


class LocalResponseNorm(nn.Module):
    """x / (k + alpha * sum of x^2 over `window` neighbouring maps) ^ beta (AlexNet, section 3.3).

    alpha multiplies the sum, as the formula is printed. `nn.LocalResponseNorm` multiplies the mean
    instead: at an alpha of window * alpha it gives the same. Maps before the first and after the
    last count as 0. Works in float32 at least, whatever the input's type; returns the input's type
    and memory format. Can be differentiated once.
    """

    def __init__(self, window: int, k: float, alpha: float, beta: float) -> None:
        super().__init__()
        self.formula = Formula(window, k, alpha, beta)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps (N, C, ...)."""
        out: Tensor = _ResponseNorm.apply(x, self.formula)
        return out

    def extra_repr(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.formula._asdict().items())


class Formula(NamedTuple):
    """The constants of an LRN."""

    window: int
    k: float
    alpha: float
    beta: float

    def shares(self, x: Tensor) -> Tensor:
        """What each map adds to the sums s of its windows, in which k is shared out evenly."""
        even = x.new_full((), self.k / self.window)  # made where x is: a GPU is not waited for
        return torch.addcmul(even, x, x, value=self.alpha)

    def power(self, root: Tensor) -> Tensor:
        """s^-beta of root = s^-1/2."""
        if self.beta != 0.75:
            return root.pow(2 * self.beta)
        return root.sqrt().mul_(root)  # six times as fast as pow


class _ResponseNorm(torch.autograd.Function):
    """LRN and its gradient in closed form, with the input and s^-1/2 kept in between.

    With s = k + alpha * sum(x^2) and y = x * s^-beta, where sum runs over the window:
    dx = g * s^-beta - 2 * alpha * beta * x * sum'(g * x * s^-beta / s), sum' over the windows that
    hold the map, so the window turned round.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, formula: Formula) -> Tensor:
        x = x if _is_channels_last(x) else x.contiguous()
        out, roots = torch.empty_like(x), torch.empty_like(x)
        ctx.save_for_backward(x, roots)
        ctx.formula = formula
        if kernels := _kernels(x):
            kernels.forward(x, out, roots, _step(x), *formula)
            return out
        maps = _Belt(x, formula.window, before=formula.window // 2)
        for source, target, kept in maps.chunks(x, out, roots):
            maps.load(source)
            root = maps.window_sums(formula.shares(maps.flat)).rsqrt_()
            maps.store(root, kept)
            maps.store(formula.power(root).mul_(maps.own), target)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, roots = ctx.saved_tensors
        formula: Formula = ctx.formula
        out = torch.empty_like(x)
        if kernels := _kernels(x):
            like = torch.channels_last if _is_channels_last(x) else torch.contiguous_format
            grad, (window, _, alpha, beta) = grad.contiguous(memory_format=like), formula
            kernels.backward(x, grad, roots, out, _step(x), window, alpha, beta)
            return out, None
        before = formula.window // 2
        maps, grads, root = (_Belt(x, formula.window, before) for _ in range(3))
        products = _Belt(x, formula.window, before=formula.window - 1 - before)  # turned round
        for source, grad_source, kept, target in maps.chunks(x, grad, roots, out):
            maps.load(source)
            grads.load(grad_source)
            root.load(kept)
            direct = formula.power(root.own).mul_(grads.own)
            torch.mul(direct, maps.own, out=products.own).mul_(root.own).mul_(root.own)
            spread = products.window_sums(products.flat)
            direct.addcmul_(maps.own, spread, value=-2 * formula.alpha * formula.beta)
            maps.store(direct, target)
        return out, None


class _Belt:
    """Flat memory for part of a batch, in which the maps of one place stand side by side.

    A row holds the C maps of one place (channels_last), or of one image where each map is a block
    of `step` values (contiguous), and then a gap of zeros as wide as the rest of a window. So a sum
    over neighbouring maps is a sum of shifted flat memory, which no row takes from the next.
    `own` is aligned with those sums: own[i] is the value whose window starts at flat[i].
    """

    def __init__(self, x: Tensor, window: int, before: int) -> None:
        self.window, self.before = window, before
        self.step = _step(x)
        self.values = x.shape[1] * self.step  # of one row, without the gap
        gap = (window - 1) * self.step
        rows = self._rows_at_a_time(x)
        dtype = torch.promote_types(x.dtype, torch.float32)
        self.flat = torch.zeros(rows * (self.values + gap) + gap, dtype=dtype, device=x.device)
        self.own = self.flat[before * self.step :][: rows * (self.values + gap)]
        self.rows = rows

    def chunks(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Views of the tensors' rows (rows, C * step), as many at a time as the belt holds."""
        return zip(
            *(torch.split(self._as_rows(tensor), self.rows) for tensor in tensors), strict=True
        )

    def load(self, source: Tensor) -> None:
        """Lay rows on the belt. What is left behind the last of them is in no sum of theirs."""
        self._inside(self.own)[: len(source)].copy_(source)

    def store(self, own: Tensor, target: Tensor) -> None:
        """Copy rows from memory laid out as `own` to target."""
        target.copy_(self._inside(own)[: len(target)])

    def window_sums(self, flat: Tensor) -> Tensor:
        """For each value of `own` the sum over its window, in new memory."""
        return _sliding_sum(flat, self.window, self.step)

    def _inside(self, own: Tensor) -> Tensor:
        return own.view(self.rows, -1)[:, : self.values]

    def _as_rows(self, x: Tensor) -> Tensor:
        if self.step == 1 and x.dim() == 4:
            return x.permute(0, 2, 3, 1).reshape(-1, self.values)
        return x.reshape(-1, self.values)

    def _rows_at_a_time(self, x: Tensor) -> int:
        """All on an accelerator; on a CPU as many as its cache holds, in chunks of like length."""
        rows = x.numel() // self.values
        chunks = ceil(x.numel() / CHUNK) if x.device.type == "cpu" else 1
        return ceil(rows / chunks)


def _sliding_sum(flat: Tensor, window: int, step: int) -> Tensor:
    """out[i] = flat[i] + flat[i + step] + ... of `window` values, in about log2(window) passes."""
    if window == 1:
        return flat
    if window % 2:
        return _sliding_sum(flat[:-step], window - 1, step).add_(flat[(window - 1) * step :])
    return _sliding_sum(flat[:-step] + flat[step:], window // 2, 2 * step)


def _kernels(x: Tensor) -> ModuleType | None:
    """The kernels that do it in one pass over memory, where there are some for such a tensor."""
    if x.device.type != "cuda" or x.dtype == torch.float64:
        return None
    try:
        from zfrepro.models import lrn_kernels  # noqa: PLC0415
    except ImportError:  # Triton comes with PyTorch on Linux alone
        return None
    return lrn_kernels


def _step(x: Tensor) -> int:
    """Values in memory from one map to the next."""
    return 1 if _is_channels_last(x) else prod(x.shape[2:])


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


class LocalContrastNorm(nn.Module):
    """Subtractive, then divisive normalisation over all maps (Jarrett 2009, section 2.1).

    v = x - m, with m the Gaussian-weighted mean over all maps and a kernel x kernel neighbourhood;
    then v / max(c, sigma), with sigma the root of the equally weighted mean of v^2 and c the mean
    of sigma over the image. At the border the weights inside the map are made to sum to 1, so a
    constant image gives 0 everywhere. Works in float32 at least and returns the input's type.
    """

    bell: Tensor  # (kernel,), unnormalised

    def __init__(self, kernel: int, deviation: float) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"model.lcn.kernel: {kernel} is even, so it has no centre")
        self.kernel, self.deviation = kernel, deviation
        places = torch.arange(kernel) - kernel // 2
        self.register_buffer("bell", torch.exp(-0.5 * (places / deviation) ** 2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps (N, C, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            v = wide - self._local_mean(wide)
            sigma = (self._local_mean(v * v) + FLAT**2).sqrt()  # (N, 1, H, W)
            c = sigma.mean(dim=(2, 3), keepdim=True)
            return (v / torch.maximum(sigma, c)).to(x.dtype)

    def _local_mean(self, x: Tensor) -> Tensor:
        """Weighted mean over all maps and the neighbourhood of each place: (N, 1, H, W)."""
        mean = x.mean(dim=1, keepdim=True)
        return self._blur(mean) / self._blur(torch.ones_like(mean[:1]))

    def _blur(self, x: Tensor) -> Tensor:
        """Sum weighted by the bell, down the columns and then along the rows; 0 outside."""
        bell, half = self.bell.to(x.dtype), self.kernel // 2
        columns = functional.conv2d(x, bell.view(1, 1, -1, 1), padding=(half, 0))
        return functional.conv2d(columns, bell.view(1, 1, 1, -1), padding=(0, half))

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, deviation={self.deviation}"
