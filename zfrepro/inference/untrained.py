"""The control of what a network has learned: the same network as before its training."""

from dataclasses import replace

from zfrepro.models.convnet import build
from zfrepro.training.trained import Trained


def untrained(trained: Trained) -> Trained:
    """The network with the random weights of its seed, on the same device."""
    net = build(**(trained.net.spec or {})).eval()
    return replace(trained, net=net.to(trained.mean.device))
