"""The atlas: every map of every convolutional layer, with its nine strongest images (figure 2).

Static pages that work from disk: a page a layer, on which each map has its own address
(`conv5.html#map-17`), and a quiz in which figure 2 is a measurement.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from zfrepro.elements.features.measure import Ints, Panel, panels
from zfrepro.elements.features.plot import CELL, compose
from zfrepro.files import atomic_path, atomic_write
from zfrepro.interp.deconv import Deconvnet
from zfrepro.interp.graph_deconv import GraphDeconvnet
from zfrepro.interp.top_activations import COUNT

AT_ONCE = 16  # maps whose images and projections are in memory together
QUALITY = 80
GAPS = {"cell": 2, "half": 8}  # white pixels of `features.compose`, between cells and halves


def stem(layer: str) -> str:
    """Of a layer's files: the colon of `relu:2` would end the scheme of an address."""
    return layer.replace(":", "-")


@dataclass(frozen=True)
class Layer:
    """What a page says of its layer; `field` is None where a unit sees the whole crop."""

    name: str
    maps: int
    height: int
    width: int
    field: int | None
    silent: Sequence[int]  # maps that fire for no image of the set

    @property
    def stem(self) -> str:
        return stem(self.name)


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


def draw_layer(
    deconvnet: Deconvnet | GraphDeconvnet,
    table: pd.DataFrame,
    name: str,
    read: Callable[[Ints], Tensor],
    show: Callable[[Ints], npt.NDArray[np.float32]],
    captions: Callable[[Ints], Sequence[str]],
    folder: Path,
) -> tuple[Layer, int, Sequence[Map]]:
    """Draws a layer's maps; returns what its page says, and the side of a picture's cells.

    Args:
        table: of `top_activations`; `read` and `show` are as of `features.measure.panels`.
        captions: what stands for the images of these numbers, as "class, path".
    """
    one = deconvnet.chain.activations(read(np.array([0])), name)
    _, count, height, width = (*one.shape, 1, 1)[:4]
    rows = table[table["layer"] == name]
    firing = sorted(rows["map"].unique().tolist())
    field = deconvnet.chain.field(name)
    silent = tuple(sorted(set(range(count)) - set(firing)))
    layer = Layer(name, count, height, width, field.size if field else None, silent)
    side, maps = 0, []
    for start in range(0, len(firing), AT_ONCE):
        some = firing[start : start + AT_ONCE]
        for panel in panels(deconvnet, rows, name, some, read, show):
            file = f"{layer.stem}/{panel.map}.webp"
            side = write_picture(panel, folder / file)
            numbers, images = panel.images.tolist(), captions(panel.images)
            maps.append(Map(panel.map, file, panel.peaks.tolist(), numbers, images))
    return layer, side, maps


def write_pages(
    folder: Path,
    network: str,
    about: str,
    layers: Mapping[Layer, tuple[int, Sequence[Map]]],
    *,
    report: bool = True,
) -> None:
    """Writes index.html, a page for each layer, and quiz.html.

    Args:
        about: the set of images, in words.
        layers: of each layer the side of a cell and its maps.
        report: whether the study's page stands beside the folder.
    """
    context = {"network": network, "about": about, "layers": list(layers), "report": report}
    for layer, (_, maps) in layers.items():
        html = _render("layer.html", {**context, "layer": layer, "maps": maps})
        atomic_write(folder / f"{layer.stem}.html", html)
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
