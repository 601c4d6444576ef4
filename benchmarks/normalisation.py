"""Local response normalisation of ZFNet's first maps, forward and backward: milliseconds.

    python benchmarks/normalisation.py

Maps (64, 96, 55, 55) in channels_last, bf16 and float32: ours, torch's `nn.LocalResponseNorm`, and
the sum over the window as a banded 1x1 convolution. Writes benchmarks/results/normalisation.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from zfrepro.files import write_json
from zfrepro.models.memory import keep_freed_memory
from zfrepro.models.normalisation import LocalResponseNorm

SHAPE = (64, 96, 55, 55)
WINDOW, K, ALPHA, BETA = 5, 2.0, 1e-4, 0.75
REPEATS = 5
RESULT = Path(__file__).parent / "results" / "normalisation.json"


def banded(x: Tensor) -> Tensor:
    """LRN with the sum over neighbouring maps as a 1x1 convolution."""
    places = torch.arange(x.shape[1])
    band = ((places[:, None] - places).abs() <= WINDOW // 2).to(x.dtype)
    energy = functional.conv2d(x * x, band[:, :, None, None])
    return x * (K + ALPHA * energy).pow(-BETA)


def torchs(x: Tensor) -> Tensor:
    """nn.LocalResponseNorm, which knows no bf16 on a CPU."""
    return functional.local_response_norm(x.float(), WINDOW, WINDOW * ALPHA, BETA, K).to(x.dtype)


def milliseconds(norm: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor) -> float:
    """Best of a few forward and backward passes."""
    best = float("inf")
    for _ in range(REPEATS + 1):
        x.grad = None
        start = time.perf_counter()
        norm(x).backward(grad)
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def main() -> None:
    keep_freed_memory()
    norms = {
        "ours": LocalResponseNorm(WINDOW, K, ALPHA, BETA),
        "banded convolution": banded,
        "nn.LocalResponseNorm": torchs,
    }
    result: dict[str, dict[str, float]] = {}
    for dtype in (torch.bfloat16, torch.float32):
        x = torch.randn(SHAPE).mul_(20).relu_().to(dtype)
        x = x.to(memory_format=torch.channels_last).requires_grad_()
        grad = torch.randn_like(x)
        result[str(dtype)] = {name: milliseconds(norm, x, grad) for name, norm in norms.items()}
        print(dtype, {name: f"{each:.0f} ms" for name, each in result[str(dtype)].items()})
    write_json(RESULT, {"milliseconds": result, "threads": torch.get_num_threads()})


if __name__ == "__main__":
    main()
