"""Section 2.1 in plain loops over NumPy arrays: shares no code with `zfrepro.interp`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class Convolution:
    """A convolution with its ReLU; weights (out, in / groups, k, k)."""

    weights: Array
    biases: Array
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def forward(self, x: Array) -> Array:
        out, per_group, k, _ = self.weights.shape
        wide = np.pad(x, ((0, 0), (self.padding,) * 2, (self.padding,) * 2))
        side = (wide.shape[1] - k) // self.stride + 1
        self.shape, self.wide = x.shape, wide.shape
        result = np.zeros((out, side, side))
        for m in range(out):
            first = m // (out // self.groups) * per_group
            for i in range(side):
                for j in range(side):
                    patch = wide[
                        first : first + per_group,
                        i * self.stride : i * self.stride + k,
                        j * self.stride : j * self.stride + k,
                    ]
                    result[m, i, j] = (patch * self.weights[m]).sum() + self.biases[m]
        return np.maximum(result, 0)

    def back(self, y: Array) -> Array:
        y = np.maximum(y, 0)
        out, per_group, k, _ = self.weights.shape
        wide = np.zeros(self.wide)
        for m in range(out):
            first = m // (out // self.groups) * per_group
            for i in range(y.shape[1]):
                for j in range(y.shape[2]):
                    wide[
                        first : first + per_group,
                        i * self.stride : i * self.stride + k,
                        j * self.stride : j * self.stride + k,
                    ] += y[m, i, j] * self.weights[m]
        p = self.padding
        return wide[:, p : p + self.shape[1], p : p + self.shape[2]]


@dataclass
class Pooling:
    """Max pooling; with `ceil` a window may hang over the edge."""

    k: int
    stride: int
    ceil: bool = False

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        rest = x.shape[1] - self.k
        side = (-(-rest // self.stride) if self.ceil else rest // self.stride) + 1
        if self.ceil and (side - 1) * self.stride >= x.shape[1]:
            side -= 1
        result = np.zeros((len(x), side, side))
        self.switches = {}
        for m in range(len(x)):
            for i in range(side):
                for j in range(side):
                    places = [
                        (r, c)
                        for r in range(i * self.stride, min(i * self.stride + self.k, x.shape[1]))
                        for c in range(j * self.stride, min(j * self.stride + self.k, x.shape[2]))
                    ]
                    best = max(places, key=lambda at: x[m][at])  # the first of equal ones
                    self.switches[m, i, j] = best
                    result[m, i, j] = x[m][best]
        return result

    def back(self, y: Array) -> Array:
        x = np.zeros(self.shape)
        for (m, i, j), place in self.switches.items():
            x[m][place] += y[m, i, j]
        return x


def project(
    layers: list[Convolution | Pooling], image: Array, m: int, row: int, column: int
) -> Array:
    """The pixels that the last layer's activation (m, row, column) comes from."""
    x = image
    for layer in layers:
        x = layer.forward(x)
    kept = np.zeros_like(x)
    kept[m, row, column] = x[m, row, column]
    for layer in reversed(layers):
        kept = layer.back(kept)
    return kept
