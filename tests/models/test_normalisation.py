"""LRN against hand, torch and finite differences; LCN against its formula written out."""

import math
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from zfrepro.fingerprint import PROJECT
from zfrepro.models import normalisation
from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm

CONSTANTS = {"k": 2.0, "alpha": 1e-4, "beta": 0.75}


def torchs(window, k, alpha, beta) -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(window, window * alpha, beta, k)


def value_and_gradient(norm, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    out = norm(x)
    out.backward(grad)
    return out.detach(), x.grad


def test_lrn_by_hand():
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)
    out = LocalResponseNorm(3, k=1.0, alpha=0.5, beta=0.75)(x).flatten()
    sums = (1 + 4, 1 + 4 + 9, 4 + 9)
    expected = [v / (1 + 0.5 * s) ** 0.75 for v, s in zip((1, 2, 3), sums, strict=True)]
    assert out.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("shape", [(3, 7, 5, 4), (2, 3, 1, 1), (2, 96, 13, 13), (5, 8, 30)])
@pytest.mark.parametrize(("window", "beta"), [(5, 0.75), (4, 0.75), (3, 0.5), (1, 1.0), (9, 0.75)])
def test_lrn_equals_torchs_in_value_and_gradient(shape, window, beta, channels_last, monkeypatch):
    monkeypatch.setattr(normalisation, "CHUNK", 1000)  # several chunks, the last one shorter
    torch.manual_seed(0)
    x, grad = 30 * torch.randn(shape), torch.randn(shape)
    if channels_last and len(shape) == 4:
        x = x.to(memory_format=torch.channels_last)
    constants = (window, 2.0, 1e-4, beta)
    ours = value_and_gradient(LocalResponseNorm(*constants), x, grad)
    theirs = value_and_gradient(torchs(*constants), x, grad)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-6, atol=2e-6 * float(other.abs().max()))
        assert mine.stride() == x.stride()


def test_lrn_gradient_equals_finite_differences(monkeypatch):
    monkeypatch.setattr(normalisation, "CHUNK", 40)
    x = (3 * torch.randn(2, 6, 3, 2, dtype=torch.float64)).requires_grad_()
    strong = {"k": 1.5, "alpha": 0.3, "beta": 0.75}
    for window in (5, 4):
        assert torch.autograd.gradcheck(LocalResponseNorm(window, **strong), x)
        last = x.detach().to(memory_format=torch.channels_last).requires_grad_()
        assert torch.autograd.gradcheck(LocalResponseNorm(window, **strong), last)


def test_lrn_in_bf16_is_the_float32_result_but_for_rounding():
    x = (20 * torch.randn(2, 32, 6, 6)).bfloat16()
    grad = torch.randn(2, 32, 6, 6).bfloat16()
    norm = LocalResponseNorm(5, **CONSTANTS)
    rough, exact = (value_and_gradient(norm, x.to(d), grad.to(d)) for d in (x.dtype, torch.float32))
    assert all(each.dtype == torch.bfloat16 for each in rough)
    assert torch.equal(rough[0], exact[0].bfloat16())
    # on the way back s^-1/2 has been kept in bf16
    torch.testing.assert_close(rough[1].float(), exact[1], rtol=0.02, atol=0.002)


# the GPU's kernels, in Triton's interpreter, against the CPU's way
INTERPRETED = """
import itertools, torch
from zfrepro.models import lrn_kernels, normalisation
from zfrepro.models.normalisation import LocalResponseNorm

def both(norm, x, grad):
    x = x.detach().requires_grad_()
    out = norm(x)
    out.backward(grad)
    return out.detach(), x.grad

shapes = [(3, 7, 5, 4), (2, 3, 1, 1), (2, 40, 7, 5), (5, 8, 30)]
windows = [(5, 0.75), (4, 0.6), (1, 1.0)]
for shape, (window, beta), last in itertools.product(shapes, windows, (True, False)):
    x, grad = 30 * torch.randn(shape), torch.randn(shape)
    if last and len(shape) == 4:
        x = x.to(memory_format=torch.channels_last)
    norm = LocalResponseNorm(window, 2.0, 1e-4, beta)
    theirs = both(norm, x, grad)
    chosen, normalisation._kernels = normalisation._kernels, lambda x: lrn_kernels
    ours, rough = both(norm, x, grad), both(norm, x.bfloat16(), grad.bfloat16())
    normalisation._kernels = chosen
    for mine, other, coarse in zip(ours, theirs, rough):
        most = float(other.abs().max())
        torch.testing.assert_close(mine, other, rtol=2e-6, atol=2e-6 * most)
        torch.testing.assert_close(coarse.float(), other, rtol=0.03, atol=0.01 * most)
        assert mine.stride() == coarse.stride() == x.stride()
print("equal")
"""


def test_lrn_kernels_equal_the_cpus_way():
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED], cwd=PROJECT, capture_output=True, text=True,
        env={**os.environ, "TRITON_INTERPRET": "1"}, check=False,
    )  # fmt: skip
    assert done.stdout == "equal\n", done.stderr


def test_lrn_takes_strided_inputs_and_foreign_gradient_layouts():
    base = torch.randn(4, 10, 6, 8)
    x, grad = base[:, ::2, :, 1:], torch.randn(4, 6, 7, 5).permute(0, 3, 1, 2)
    ours = value_and_gradient(LocalResponseNorm(5, **CONSTANTS), x, grad)
    theirs = value_and_gradient(torchs(5, **CONSTANTS), x, grad)
    torch.testing.assert_close(ours, theirs)


def test_lrn_says_that_it_differentiates_once():
    x = torch.randn(1, 4, 2, 2, requires_grad=True)
    squared = LocalResponseNorm(5, **CONSTANTS)(x).square().sum()
    (first,) = torch.autograd.grad(squared, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def naive_lcn(x: Tensor, kernel: int, deviation: float) -> Tensor:
    """Jarrett 2009 for one image (C, H, W), place by place."""
    maps, height, width = x.shape
    half = kernel // 2

    def weighted_mean(values: Tensor) -> Tensor:  # (C, H, W) -> (H, W)
        out = torch.zeros(height, width, dtype=x.dtype)
        for row in range(height):
            for column in range(width):
                total = weights = 0.0
                for p in range(max(0, row - half), min(height, row + half + 1)):
                    for q in range(max(0, column - half), min(width, column + half + 1)):
                        distance = (p - row) ** 2 + (q - column) ** 2
                        weight = math.exp(-distance / (2 * deviation**2))
                        total += weight * float(values[:, p, q].sum())
                        weights += weight * maps
                out[row, column] = total / weights
        return out

    v = x - weighted_mean(x)
    sigma = weighted_mean(v * v).sqrt()
    return v / torch.clamp(sigma, min=float(sigma.mean()))


@pytest.mark.parametrize("shape", [(3, 8, 11), (2, 2, 2), (4, 1, 1)])
def test_lcn_equals_its_formula_written_out(shape):
    x = torch.randn(2, *shape, dtype=torch.float64)
    expected = torch.stack([naive_lcn(image, 9, 2.0) for image in x])
    torch.testing.assert_close(LocalContrastNorm(9, 2.0)(x), expected, rtol=1e-5, atol=1e-5)


def test_lcn_of_a_constant_image_is_zero_with_a_finite_gradient():
    x = torch.full((1, 3, 12, 12), 7.0, requires_grad=True)
    out = LocalContrastNorm(9, 2.0)(x)
    out.sum().backward()
    assert out.detach().abs().max() < 0.05  # rounding of 7, over FLAT
    assert x.grad.isfinite().all()


def test_lcn_gradient_equals_finite_differences():
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(LocalContrastNorm(3, 1.0).double(), x)
