"""A net is a table of layers: `build` makes the modules that `geometry.table` lists."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from zfrepro.models.dropout import Dropout
from zfrepro.models.geometry import Conv, Pool, Row, parse, table
from zfrepro.models.initialisation import deviations, initialise
from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm

LRN = {"window": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}  # AlexNet, section 3.3
LCN = {"kernel": 9, "deviation": 2.0}  # Jarrett 2009 gives the kernel, not its deviation


class ConvNet(nn.Sequential):
    """Named modules in a row, images (N, 3, crop, crop) to raw logits (N, classes).

    No module is used twice or works in place, so hooks see every value. `spec` is a plain,
    JSON-able dict from which `build(**spec)` makes the same net with the same first weights; a
    slice of a net has none.
    """

    def __init__(
        self, modules: OrderedDict[str, nn.Module], spec: dict[str, Any] | None = None
    ) -> None:
        super().__init__(modules)
        self.spec = spec


def build(
    layers: Mapping[str, Any],
    *,
    classes: int,
    crop: int,
    pool: Mapping[str, Any],
    normalisation: str = "lrn",
    dropout: float = 0.5,
    width: float = 1.0,
    name: str = "",
    lrn: Mapping[str, Any] = LRN,
    lcn: Mapping[str, Any] = LCN,
    seed: int = 0,
) -> ConvNet:
    """Make the net of this table, with the paper's first weights drawn from `seed`.

    The numbers of maps and units in `layers` are true ones: `width` does not change them, it says
    how they relate to the paper's (see `initialisation.deviations`). Raises ValueError, naming the
    key at fault, where `geometry.table` does.
    """
    spec = {
        "layers": {key: _plain(entry) for key, entry in layers.items()},
        "classes": classes,
        "crop": crop,
        "pool": dict(pool),
        "normalisation": normalisation,
        "dropout": dropout,
        "width": width,
        "name": name,
        "lrn": dict(lrn),
        "lcn": dict(lcn),
        "seed": seed,
    }
    rows = table(layers, classes=classes, crop=crop, pool=pool, normalisation=normalisation)
    convs = {layer.name: layer for layer in parse(layers, classes) if isinstance(layer, Conv)}
    net = ConvNet(OrderedDict((row.name, _module(row, convs, spec)) for row in rows), spec)
    initialise(net, deviations(layers, crop=crop, pool=pool, width=width), seed)
    return net


def _plain(entry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if entry is None else {**entry, "then": list(entry.get("then", ()))}


def _module(row: Row, convs: Mapping[str, Conv], spec: Mapping[str, Any]) -> nn.Module:
    """The module of one row. Weights are left undrawn, for `initialise`."""
    makers: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: _convolution(row, convs[row.name]),
        "fc": lambda: _empty(nn.Linear(row.inputs[0], row.outputs[0], device="meta")),
        "relu": nn.ReLU,
        "pool": lambda: _pool(Pool.parse(spec["pool"])),
        "norm": lambda: _norm(spec),
        "drop": lambda: Dropout(spec["dropout"]),
        "flatten": nn.Flatten,
    }
    return makers[row.kind]()


def _convolution(row: Row, conv: Conv) -> nn.Module:
    return _empty(
        nn.Conv2d(
            row.inputs[0],
            conv.maps,
            conv.kernel,
            stride=conv.stride,
            padding=conv.padding,
            groups=conv.groups,
            device="meta",
        )
    )


def _empty(module: nn.Module) -> nn.Module:
    """Memory for a module made on `meta`: torch's own draw would take a second at full width."""
    return module.to_empty(device="cpu")


def _pool(pool: Pool) -> nn.Module:
    return nn.MaxPool2d(pool.kernel, pool.stride, ceil_mode=pool.ceil)


def _norm(spec: Mapping[str, Any]) -> nn.Module:
    if spec["normalisation"] == "lcn":
        return LocalContrastNorm(**spec["lcn"])
    return LocalResponseNorm(**spec["lrn"])
