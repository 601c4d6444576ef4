"""LRN's kernels on a GPU against the CPU's way."""

import pytest
import torch
from torch import Tensor

from zfrepro.models.normalisation import LocalResponseNorm

SHAPES = [(128, 96, 55, 55), (16, 256, 13, 13), (3, 7, 5, 4), (5, 8, 30)]


def both(x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    out = LocalResponseNorm(5, 2.0, 1e-4, 0.75)(x)
    out.backward(grad)
    assert x.grad is not None
    return out.detach().cpu(), x.grad.cpu()


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient_are_the_cpus_and_the_same_twice(
    shape: tuple[int, ...], last: bool
) -> None:
    x, grad = 30 * torch.randn(shape), torch.randn(shape)
    if last and len(shape) == 4:
        x, grad = (each.to(memory_format=torch.channels_last) for each in (x, grad))
    here, there = both(x, grad), both(x.cuda(), grad.cuda())
    for ours, theirs in zip(there, here, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))
        assert ours.stride() == theirs.stride()
    again = both(x.cuda(), grad.cuda())
    assert all(torch.equal(a, b) for a, b in zip(there, again, strict=True))


def test_in_bf16_it_is_right_but_for_rounding() -> None:
    x, grad = 30 * torch.randn(16, 96, 27, 27), torch.randn(16, 96, 27, 27)
    here, there = both(x, grad), both(x.cuda().bfloat16(), grad.cuda().bfloat16())
    for ours, theirs in zip(there, here, strict=True):
        torch.testing.assert_close(
            ours.float(), theirs, rtol=0.03, atol=0.01 * float(theirs.abs().max())
        )
