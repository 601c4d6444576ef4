"""Networks of other packages by the function that makes them: torchvision's, timm's, a user's own.

What a network expects of an image comes from its own package, and what was taken is said.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zfrepro.training import archive, states

log = logging.getLogger(__name__)

# torchvision's weights of these expect it, and its functions set it only where they download
TRANSFORM_INPUT = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Expected:
    """What a network expects: (pixel / 255 - mean) / std of the central `crop` pixels.

    Args:
        image_size: the shorter side before the crop is cut out.
        classes: names of the outputs; empty where nothing tells them.
        source: whose preprocessing it is, in words.
    """

    crop: int
    image_size: int
    mean: Sequence[float]
    std: Sequence[float]
    resize_filter: str
    classes: Sequence[str]
    source: str


def made(words: str, weights: Path | None) -> tuple[Any, Expected | None]:
    """What `package.module:factory` returns, with the weights of a file, and what it expects.

    Args:
        words: torchvision.models:NAME, timm:NAME or a function of one's own.

    Raises:
        FileNotFoundError, ValueError: there is no such function, or the weights do not fit.
    """
    if weights is not None and not weights.is_file():
        raise FileNotFoundError(f"{weights} is not there")
    module, _, factory = words.partition(":")
    try:
        net = _called(module, factory, published=weights is not None)
    except (ImportError, AttributeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{words} cannot be made: {error}") from error
    if not isinstance(net, nn.Module):
        return net, None
    if isinstance(net, nn.DataParallel):
        net = net.module
    if weights is not None:
        load(net, weights, words)
    elif module == "torchvision.models":
        log.warning("%s has random weights: --weights FILE gives it others", words)
    if module == "torchvision.models":
        return net, _torchvisions(factory, weights)
    return net, _timms(net) if module == "timm" else None


def _called(module: str, factory: str, *, published: bool) -> Any:
    found = importlib.import_module(module)
    if module == "timm":
        return found.create_model(factory, pretrained=not published)
    if module != "torchvision.models":
        return getattr(found, factory)()
    options = {"init_weights": False} if factory in TRANSFORM_INPUT else {}
    net = found.get_model(factory, **options)
    if published and factory in TRANSFORM_INPUT:
        net.transform_input = True
    return net


def load(net: nn.Module, path: Path, words: str) -> None:
    """Loads a state dict as people have it: in a checkpoint, with a wrapper's names, in half.

    Nothing in the file is executed. Values become what the network's are, as float32.

    Raises:
        ValueError: it cannot be read, or does not fit; says what is missing and what is too much.
    """
    if path.suffix == ".safetensors":
        try:
            content = importlib.import_module("safetensors.torch").load_file(path)
        except ImportError as error:
            raise ValueError(f"{path}: `pip install safetensors` reads such files") from error
        except Exception as error:  # its own kind, which only that package names
            raise ValueError(f"{path} cannot be read: {error}") from error
    else:
        content = archive.read(path)
    state = states.bare(states.unpacked(content), path)
    own = net.state_dict()
    if not own.keys() & state.keys() and (prefix := _prefix(state, own)):
        raise ValueError(
            f"{path} does not fit {words}: strip {prefix!r} from the names of its tensors "
            f"(it has {next(iter(state))})"
        )
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{path} does not fit {words}: {archive.in_one_line(error)}") from error


def _prefix(state: states.State, own: states.State) -> str:
    """What stands before all of the network's names in the file, if something does."""
    first = next(iter(own), "")
    ends = [str(key).removesuffix(first) for key in state if str(key).endswith(f".{first}")]
    return ends[0] if len(ends) == 1 else ""


def _torchvisions(name: str, weights: Path | None) -> Expected:
    """The transforms of the published weights of that file's name; else of the default ones."""
    from torchvision import models  # noqa: PLC0415

    entries = list(models.get_model_weights(name))
    named = [entry for entry in entries if weights and entry.url.endswith(f"/{weights.name}")]
    entry = named[0] if named else models.get_model_weights(name).DEFAULT
    preset = entry.transforms()
    return Expected(
        crop=preset.crop_size[0],
        image_size=preset.resize_size[0],
        mean=preset.mean,
        std=preset.std,
        resize_filter=preset.interpolation.value,
        classes=entry.meta["categories"],
        source=f"torchvision's {entry}",
    )


def _timms(net: nn.Module) -> Expected:
    from timm import data  # noqa: PLC0415  not everybody has it

    config = data.resolve_model_data_config(net)
    crop = config["input_size"][1]
    return Expected(
        crop=crop,
        image_size=round(crop / config["crop_pct"]),
        mean=config["mean"],
        std=config["std"],
        resize_filter=config["interpolation"],
        classes=(),
        source="timm's data config",
    )
