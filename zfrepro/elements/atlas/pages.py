"""The atlas: every map of every convolutional layer, with its nine strongest images (figure 2).

Static pages that work from disk: a page a layer, on which each map has its own address
(`conv5.html#map-17`), and a quiz in which figure 2 is a measurement.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from zfrepro.elements.features.measure import Panel
from zfrepro.elements.features.plot import CELL, compose
from zfrepro.files import atomic_path, atomic_write
from zfrepro.interp.top_activations import COUNT

QUALITY = 80
GAPS = {"cell": 2, "half": 8}  # white pixels of `features.compose`, between cells and halves


@dataclass(frozen=True)
class Layer:
    """What a page says of its layer; `field` is None where a unit sees the whole crop."""

    name: str
    maps: int
    height: int
    width: int
    field: int | None
    silent: Sequence[int]  # maps that fire for no image of the set


@dataclass(frozen=True)
class Map:
    """One map: its picture, and its images, strongest first."""

    number: int
    file: str
    peaks: Sequence[float]
    numbers: Sequence[int]  # of the images
    images: Sequence[str]  # as "class, path"


def write_picture(panel: Panel, path: Path) -> int:
    """Draws a map's nine projections beside their patches; returns the side of a cell, in pixels.

    As figure 2 draws them, by the same contrast.
    """
    pixels = (compose(panel) * 255).round().astype(np.uint8)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, "WEBP", quality=QUALITY)
    return max(CELL, int(panel.projections.shape[2]))


def write_pages(
    folder: Path,
    network: str,
    about: str,
    layers: Mapping[Layer, tuple[int, Sequence[Map]]],
) -> None:
    """Writes index.html, a page for each layer, and quiz.html.

    Args:
        about: the set of images, in words.
        layers: of each layer the side of a cell and its maps.
    """
    context = {"network": network, "about": about, "layers": list(layers)}
    for layer, (_, maps) in layers.items():
        html = _render("layer.html", {**context, "layer": layer, "maps": maps})
        atomic_write(folder / f"{layer.name}.html", html)
    cells = {}
    for layer, (side, maps) in layers.items():
        full = [each for each in maps if len(each.peaks) == COUNT]
        if len(full) > 1:
            listed = [
                {"map": each.number, "file": each.file, "images": list(each.numbers)}
                for each in full
            ]
            cells[layer.name] = {"side": side, **GAPS, "maps": listed}
    quiz = {**context, "cells": json.dumps(cells)}
    atomic_write(folder / "quiz.html", _render("quiz.html", quiz))
    atomic_write(folder / "index.html", _render("index.html", context))


def _render(template: str, context: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("zfrepro.elements.atlas"), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    assets = {
        name: Markup(environment.get_template(f"{name}.{kind}").render())  # noqa: S704  our own
        for name, kind in (("style", "css"), ("page", "js"), ("quiz", "js"))
    }
    scripts = " ".join(_digest(assets[name]) for name in ("page", "quiz"))
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src {_digest(assets['style'])}; "
        f"script-src {scripts}; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(context, assets=assets, policy=policy)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
