"""The packages' own nets with 16 units in fc6 and fc7, and random weights in all else."""

import torch
from torch import nn

from zfrepro.config import Config, compose_published

UNITS = 16
SHRUNK = [f"model.layers.{layer}.units={UNITS}" for layer in ("fc6", "fc7")]


def theirs(name: str) -> nn.Module:
    """The net that conf/model/<name>.yaml names, ready to evaluate."""
    net = on_meta(name)
    fulls = {key: module for key, module in net.named_modules() if isinstance(module, nn.Linear)}
    for place, (key, full) in enumerate(fulls.items()):
        inputs = full.in_features if place == 0 else UNITS
        outputs = full.out_features if place == 2 else UNITS
        net.set_submodule(key, nn.Linear(inputs, outputs, device="meta"))
    return drawn(net.to_empty(device="cpu").eval())


def on_meta(name: str) -> nn.Module:
    """The net at its full size, without memory for its weights."""
    published = compose_published(name)["published"]
    with torch.device("meta"):
        if published["package"] == "torchvision":
            from torchvision.models import get_model

            return get_model(published["name"], weights=None)
        from pytorchcv.model_provider import get_model

        return get_model(published["name"])


def drawn(net: nn.Module) -> nn.Module:
    """Keeps the signal of an image through all layers, at a scale at which normalisation tells."""
    generator = torch.Generator().manual_seed(0)
    for place, weight in enumerate(net.parameters()):
        fan_in = weight[0].numel() if weight.dim() > 1 else 100
        spread = (100 if place == 0 else 1) * (2 / fan_in) ** 0.5
        with torch.no_grad():
            weight.normal_(0, spread, generator=generator)
    return net


def shrunk(name: str, *overrides: str) -> Config:
    """The configuration of that net in our layers."""
    return compose_published(name, [*SHRUNK, *overrides])
