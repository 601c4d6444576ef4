"""Networks, images, layers, maps and their projections."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Request, Response

from zfrepro import config, library
from zfrepro.library import Picture, Projection, View
from zfrepro.look import pictures, sets
from zfrepro.look.asking import Address, Asked, Opened, csv, file, png
from zfrepro.look.sets import Validation
from zfrepro.render import mosaic

CELL = 48  # pixels of a map in the grid of a layer
ACROSS = 16  # maps in a row of it
CONTRAST = (
    "Projections are differences from grey: values around 0 are greys around the middle, and the "
    "largest (of absolute values, all but 0.2 %) become black and white. Scaled per map, each "
    "picture has its own largest value; shared, it is that of the layer's strongest map. "
    "Activations are greys from black, 0, to white, the highest."
)
ORIGINS = {"shipped": "comes with the project", "run": "trained here", "factory": "your own"}

Contrast = Literal["own", "shared"]

router = APIRouter(prefix="/api")


@router.get("/networks")
def list_networks(session: Opened) -> list[dict[str, Any]]:
    return [{"id": name, "origin": ORIGINS.get(origin, "")} for name, origin in session.networks()]


@router.get("/network")
def describe(at: Asked) -> dict[str, Any]:
    network = at.network
    return {
        "id": network.name,
        "crop": network.crop,
        "image_size": network.trained.image_size,
        "classes": network.classes,
        "parameters": sum(each.numel() for each in network.trained.net.parameters()),
        "at_chance": network.trained.at_chance,
        "layers": [vars(layer) for layer in network.layers.values()],
        "epochs": list(at.looked.snapshots),
    }


@router.get("/images")
def list_images(session: Opened) -> dict[str, Any]:
    about = sets.credits()
    return {
        "samples": [
            {"id": f"sample:{name}", "title": name, "credit": about[f"{name}.jpg"]}
            for name in sets.photographs()
        ],
        "uploads": [
            {"id": f"upload:{number}", "title": title}
            for number, title in session.uploads.titles().items()
        ],
        "folder": [
            {"id": f"folder:{i}", "title": path.name} for i, path in enumerate(session.folder)
        ],
    }


@router.post("/images")
async def upload(session: Opened, request: Request, name: str = "picture") -> dict[str, str]:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > sets.LARGEST:
            raise HTTPException(
                413, f"{name} is larger than {sets.LARGEST >> 20} MB: make it smaller first"
            )
    number = session.uploads.add(bytes(content), name)
    return {"id": f"upload:{number}", "title": Path(name).name}


@router.get("/set")
def list_set(at: Asked, label: int | None = None) -> dict[str, Any]:
    """The images of the network's set: of a class, or one of each."""
    images = at.looked.images()
    if not isinstance(images, Validation):
        return {"ready": True, "classes": [], "images": []}
    labels, names = images.split.labels, at.network.classes
    if label is None:
        numbers = np.unique(labels, return_index=True)[1]
    else:
        numbers = np.flatnonzero(labels == label)
    return {
        "ready": True,
        "images": [
            {"id": f"set:{i}", "label": int(labels[i]), "name": names[int(labels[i])]}
            for i in numbers.tolist()
        ],
    }


@router.get("/picture.png")
def show_picture(session: Opened, image: str, network: str = "") -> Response:
    if network:
        crop = session.looked(network).view(image).crop
        return png(crop.astype(np.float32) / np.float32(255))
    shown = session.image(image)
    shown.thumbnail((256, 256))
    return Response(pictures.encoded(shown), media_type="image/png")


@router.get("/see")
def see(at: Asked) -> dict[str, Any]:
    view = at.view
    label = None
    images = at.looked.images() if at.image.startswith("set:") else None
    if isinstance(images, Validation):
        label = at.network.classes[int(images.split.labels[int(at.image[4:])])]
    return {
        "predictions": predictions(view), "chance": 1 / len(view.probabilities), "label": label
    }  # fmt: skip


@router.get("/layer")
def list_maps(at: Asked) -> dict[str, Any]:
    with at.lock:
        values = at.view.activations(at.layer)
    maps, height, width = values.shape
    flat = values.reshape(maps, -1)
    places, peaks, sums = flat.argmax(1), flat.max(1), flat.sum(1)
    order = np.argsort(-peaks, kind="stable").tolist()
    return {
        "layer": at.layer,
        "height": height,
        "width": width,
        "sprite": {"columns": ACROSS, "cell": CELL, "gap": pictures.GAP},
        "names": at.network.classes if maps == len(at.network.classes) else None,
        "maps": [
            {
                "map": i,
                "peak": float(peaks[i]),
                "sum": float(sums[i]),
                "row": int(places[i]) // width,
                "column": int(places[i]) % width,
            }
            for i in order
        ],
    }


@router.get("/maps.png")
def draw_maps(at: Asked, contrast: Contrast = "own") -> Response:
    with at.lock:
        values = at.view.activations(at.layer)
    highest = float(values.max())
    cells = [
        mosaic.enlarge(
            np.repeat(
                pictures.heat(each, highest if contrast == "shared" else float(each.max()))[
                    :, :, None
                ],
                3,
                axis=2,
            ),
            CELL,
            smooth=False,
        )
        for each in values
    ]
    return png(pictures.sprite(cells, ACROSS))


@router.get("/map")
def one_map(at: Asked) -> dict[str, Any]:
    with at.lock:
        values = at.view.activations(at.layer)[at.map]
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return {
        "map": at.map, "values": values.tolist(), "peak": float(values.max()), "row": int(row),
        "column": int(column), "sum": float(values.sum()),
    }  # fmt: skip


@router.get("/map.csv")
def map_table(at: Asked) -> Response:
    with at.lock:
        values = at.view.activations(at.layer)[at.map]
    return csv(pictures.table(values, layer=at.layer, map=at.map))


@router.get("/window")
def window(at: Asked, row: int, column: int) -> dict[str, int]:
    field = at.network.deconvnet.chain.field(at.layer)
    if field is None:
        return {"top": 0, "left": 0, "height": at.network.crop, "width": at.network.crop}
    top, left = (field.offset + i * field.stride for i in (row, column))
    return {"top": top, "left": left, "height": field.size, "width": field.size}


def projected(
    at: Asked,
    row: int | None = None,
    column: int | None = None,
    shuffled: int | None = None,
    part: Literal["whole", "window"] = "whole",
) -> tuple[Address, Projection]:
    place = None if row is None or column is None else (row, column)
    with at.lock:
        view, looked = at.view, at.looked
        if shuffled is not None:
            looked = looked.control(shuffled, at.layer)
            view = looked.seen(at.image, view)
        return at, library.project(
            looked.network, view, at.layer, at.map, place=place, window=part == "window"
        )


Projected = Annotated[tuple[Address, Projection], Depends(projected)]


def scale(at: Address, contrast: Contrast) -> float | None:
    """What becomes white: None, each picture's own largest value."""
    if contrast == "own":
        return None
    with at.lock:
        values = at.view.activations(at.layer)
        strongest = int(values.reshape(len(values), -1).max(1).argmax())
        found = library.project(at.network, at.view, at.layer, strongest, window=True)
    return mosaic.largest(found.pixels)


@router.get("/projection.png")
def draw_projection(found: Projected, contrast: Contrast = "own") -> Response:
    at, projection = found
    return png(mosaic.signed(projection.pixels, scale=scale(at, contrast)))


@router.get("/projection.csv")
def projection_table(found: Projected) -> Response:
    at, projection = found
    return csv(pictures.table(projection.pixels, layer=at.layer, map=at.map))


@router.get("/projection.{kind}")
def print_projection(
    found: Projected, kind: Literal["svg", "pdf"], contrast: Contrast = "own"
) -> Response:
    at, projection = found
    title = f"{at.network.name}, {at.layer} map {at.map}, {projection.value:.3g}"
    shown = [projection.patch, mosaic.signed(projection.pixels, scale=scale(at, contrast))]
    return file(pictures.figure(shown, [at.image, title], kind), kind)


@router.get("/patch.png")
def draw_patch(found: Projected) -> Response:
    return png(found[1].patch)


@router.get("/filter.png")
def draw_filter(at: Asked) -> Response:
    name, first = at.network.deconvnet.chain.first
    if name != at.layer:
        raise HTTPException(404, f"only {name} has filters that look at pixels")
    weights: Picture = first.weight[at.map].detach().permute(1, 2, 0).numpy()
    return png(mosaic.enlarge(mosaic.signed(weights, 100), 96, smooth=False))


@router.get("/command")
def command(at: Asked, view: Literal["deconv", "occlusion", "invariance"]) -> dict[str, str]:
    image = _path_of(at)
    network = at.network.name.split()
    weights = at.looked.session.weights.get(at.network.name)
    words = {
        "deconv": [image, *network, "--layer", at.layer, "--maps", str(at.map)],
        "occlusion": [image, *network, "--layer", at.layer],
        "invariance": [image, "--network", *network, "--layers", *_ends(at)],
    }[view]
    words += ["--weights", weights] if weights else []
    return {"command": shlex.join(["python", "-m", f"zfrepro.{view}", *words])}


@router.get("/contrast")
def contrast() -> dict[str, str]:
    return {"rule": CONTRAST}


def predictions(view: View) -> list[dict[str, Any]]:
    return [
        {"class": int(i), "name": view.network.classes[i], "probability": float(share)}
        for i, share in ((i, view.probabilities[i]) for i in view.order()[:5])
    ]


def _ends(at: Address) -> list[str]:
    """The layers that the page compares as an image moves: the first, and the last but one."""
    first, *others = at.network.layers
    return [first, *others[-2:-1]]


def _path_of(at: Address) -> str:
    """The image as a command takes it: a file."""
    images = at.looked.images() if at.image.startswith("set:") else None
    if isinstance(images, Validation):
        place = images.split.paths_of([int(at.image[4:])])[0]
        path = config.ROOT / (images.source.manifest["config"].get("root") or "") / place
    else:
        path = at.looked.session.path(at.image)
    return str(path.relative_to(config.ROOT) if path.is_relative_to(config.ROOT) else path)
