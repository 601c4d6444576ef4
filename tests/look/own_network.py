"""A network as a user's own module makes one."""

import torch
from torch import nn

from zfrepro import library
from zfrepro.inference import published


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


def residual() -> library.Network:
    """Two blocks around which the signal goes too; one ReLU that is used three times."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(6, 6, 3, padding=1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept: torch.Tensor = self.relu(x + self.conv(self.relu(x)))
            return kept

    torch.manual_seed(0)
    parts = nn.Conv2d(3, 6, 3, stride=2), Block(), nn.MaxPool2d(2), Block(), nn.AdaptiveAvgPool2d(1)
    net = nn.Sequential(*parts, nn.Flatten(), nn.Linear(6, 3))
    return library.wrap(net, crop=32, image_size=36, classes=["cat", "dog", "owl"])


def imagenet() -> library.Network:
    """Of ImageNet's classes, by their names alone; in pixels divided by 255 and more."""
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 8, 9, stride=9), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    net = nn.Sequential(*parts, nn.Linear(32, 1000))
    return library.wrap(net, classes=[name for _, name in published.classes()])
