"""A network as a user's own module makes one."""

import torch
from torch import nn

from zfrepro import library


def made() -> library.Network:
    return library.wrap(net(), crop=32, image_size=36, classes=["left", "right"])


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(245, 2)
    )


def branched() -> nn.Module:
    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + self.conv(x)).mean((2, 3))

    return Branched()


def nothing() -> int:
    return 3
