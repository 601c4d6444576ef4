"""Contrast normalisation across feature maps: AlexNet's LRN and Jarrett 2009's LCN.

The paper only says "contrast normalised across feature maps" (figure 3); LRN is the usual reading.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class LocalResponseNorm(nn.Module):
    """x / (k + alpha * sum of x^2 over `window` neighbouring maps) ^ beta (AlexNet, section 3.3).

    alpha multiplies the sum, as the formula is printed. `nn.LocalResponseNorm` multiplies the mean:
    it is equal at an alpha of window * alpha.
    """

    def __init__(self, window: int, k: float, alpha: float, beta: float) -> None:
        super().__init__()
        self.window, self.k, self.alpha, self.beta = window, k, alpha, beta

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps (N, C, H, W)."""
        return functional.local_response_norm(
            x, self.window, self.alpha * self.window, self.beta, self.k
        )

    def extra_repr(self) -> str:
        return f"window={self.window}, k={self.k}, alpha={self.alpha}, beta={self.beta}"


class LocalContrastNorm(nn.Module):
    """Subtractive, then divisive normalisation over all maps (Jarrett 2009, section 2.1).

    v = x - m, with m the Gaussian-weighted mean over all maps and a kernel x kernel neighbourhood;
    then v / max(c, sigma), with sigma the root of the equally weighted mean of v^2 and c the mean
    of sigma over the image. At the border the weights inside the map are made to sum to 1, so a
    constant image gives 0 everywhere.
    """

    def __init__(self, kernel: int, deviation: float) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"model.lcn.kernel: {kernel} is even, so it has no centre")
        self.kernel, self.deviation = kernel, deviation
        places = torch.arange(kernel) - kernel // 2
        self.register_buffer("bell", torch.exp(-0.5 * (places / deviation) ** 2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps (N, C, H, W), in float32 at least."""
        with torch.autocast(x.device.type, enabled=False):
            wide = x if x.dtype == torch.float64 else x.float()
            v = wide - self._local_mean(wide)
            tiny = torch.finfo(v.dtype).tiny  # keeps the root's gradient finite where v is 0
            sigma = (self._local_mean(v * v) + tiny).sqrt()  # (N, 1, H, W)
            c = sigma.mean(dim=(2, 3), keepdim=True)
            return (v / torch.maximum(sigma, c)).to(x.dtype)

    def _local_mean(self, x: Tensor) -> Tensor:
        """Weighted mean over all maps and the neighbourhood of each place: (N, 1, H, W)."""
        mean = x.mean(dim=1, keepdim=True)
        return self._blur(mean) / self._blur(torch.ones_like(mean[:1]))

    def _blur(self, x: Tensor) -> Tensor:
        bell: Any = self.bell
        bell = bell.to(x.dtype)
        half = self.kernel // 2
        rows = functional.conv2d(x, bell.view(1, 1, -1, 1), padding=(half, 0))
        return functional.conv2d(rows, bell.view(1, 1, 1, -1), padding=(0, half))

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, deviation={self.deviation}"
