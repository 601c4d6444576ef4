"""The paper's two nets as their YAML files write them, and a small net."""

import re
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[2] / "conf" / "model"
POOL = {"kernel": 3, "stride": 2, "ceil": True}
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")

Layers = dict[str, Any]


def model(name: str, width: float = 1.0) -> dict[str, Any]:
    """conf/model/<name>.yaml at a width, without Hydra."""

    def scaled(match: re.Match[str]) -> str:
        return str(max(8, round(int(match[1]) * width / 8) * 8))

    text = re.sub(r'"\$\{scaled:(\d+)\}"', scaled, (CONF / f"{name}.yaml").read_text())
    return yaml.safe_load(text) | {"width": width}


def zfnet(width: float = 1.0) -> Layers:
    return model("zfnet", width)["layers"]


def alexnet(width: float = 1.0) -> Layers:
    return model("alexnet", width)["layers"]


def tiny() -> Layers:
    """ZFNet's table with 8 maps and units a layer."""
    return {
        name: {
            key: 8 if key in ("maps", "units") and name != "fc8" else value
            for key, value in entry.items()
        }
        for name, entry in zfnet().items()
    }


def changed(layers: Layers, **changes: Any) -> Layers:
    """A copy with some keys of some layers replaced; a layer given as None is removed."""
    return layers | {
        name: None if change is None else layers.get(name, {}) | change
        for name, change in changes.items()
    }
