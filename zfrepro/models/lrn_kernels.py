"""LRN and its gradient as one Triton kernel each, for GPUs.

Both read a value's neighbours where they lie: maps of one place are `step` values apart, which is 1
in channels_last and height * width in contiguous memory. No two programs write the same value, so
that equal inputs give equal bits.
"""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # values of one program


@triton.jit
def _power(root, beta, POW_3_4: tl.constexpr):  # noqa: N803
    """s^-beta of root = s^-1/2."""
    if POW_3_4:  # noqa: SIM108  Triton compiles the one branch alone
        power = root * tl.sqrt(root)
    else:
        power = tl.exp(2 * beta * tl.log(root))
    return power


@triton.jit
def _forward(
    x, out, roots, count, maps, step, k, alpha, beta,
    WINDOW: tl.constexpr, BEFORE: tl.constexpr, POW_3_4: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = place < count
    own_map = (place // step) % maps
    squares = tl.zeros((BLOCK,), tl.float32)
    for offset in tl.static_range(-BEFORE, WINDOW - BEFORE):
        inside = there & (own_map + offset >= 0) & (own_map + offset < maps)
        value = tl.load(x + place + offset * step, inside, 0.0).to(tl.float32)
        squares += value * value
    root = tl.rsqrt(k + alpha * squares)
    value = tl.load(x + place, there, 0.0).to(tl.float32)
    tl.store(roots + place, root, there)
    tl.store(out + place, value * _power(root, beta, POW_3_4), there)


@triton.jit
def _backward(
    x, grad, roots, out, count, maps, step, alpha, beta,
    WINDOW: tl.constexpr, BEFORE: tl.constexpr, POW_3_4: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = place < count
    own_map = (place // step) % maps
    # of the maps in whose windows this one is: the window turned round
    spread = tl.zeros((BLOCK,), tl.float32)
    for offset in tl.static_range(BEFORE - WINDOW + 1, BEFORE + 1):
        inside = there & (own_map + offset >= 0) & (own_map + offset < maps)
        at = place + offset * step
        root = tl.load(roots + at, inside, 0.0).to(tl.float32)
        product = tl.load(x + at, inside, 0.0).to(tl.float32)
        product *= tl.load(grad + at, inside, 0.0).to(tl.float32)
        # s^-beta / s; outside the root is 0, whose logarithm is none
        spread += tl.where(inside, product * _power(root, beta, POW_3_4) * root * root, 0.0)
    root = tl.load(roots + place, there, 1.0).to(tl.float32)
    direct = tl.load(grad + place, there, 0.0).to(tl.float32) * _power(root, beta, POW_3_4)
    value = tl.load(x + place, there, 0.0).to(tl.float32)
    tl.store(out + place, direct - 2 * alpha * beta * value * spread, there)


def forward(
    x: Tensor, out: Tensor, roots: Tensor, step: int, window: int, k: float, alpha: float,
    beta: float,
) -> None:  # fmt: skip
    """Fills `out` with x * s^-beta and `roots` with s^-1/2.

    Args:
        x: maps (N, C, ...), dense; `out` and `roots` lie in memory as it does.
        step: values from one map to the next.
    """
    _forward[_programs(x)](
        x, out, roots, x.numel(), x.shape[1], step, k, alpha, beta,
        window, window // 2, beta == 0.75, BLOCK,
    )  # fmt: skip


def backward(
    x: Tensor, grad: Tensor, roots: Tensor, out: Tensor, step: int, window: int, alpha: float,
    beta: float,
) -> None:  # fmt: skip
    """Fills `out` with the gradient by x; `grad` lies in memory as x does."""
    _backward[_programs(x)](
        x, grad, roots, out, x.numel(), x.shape[1], step, alpha, beta,
        window, window // 2, beta == 0.75, BLOCK,
    )  # fmt: skip


def _programs(x: Tensor) -> tuple[int]:
    return (triton.cdiv(x.numel(), BLOCK),)
