"""What changes when an image is covered or moved (figures 5 and 7)."""

import colorsys
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Response

from zfrepro import library
from zfrepro.elements.invariance import measure as invariance
from zfrepro.look import pictures
from zfrepro.look.asking import Address, Asked, Opened, csv, png

AMOUNTS = {"translation": (-60, 60, 6), "scale": (1, 1.8, 0.1), "rotation": (0, 345, 15)}

Kind = Literal["translation", "scale", "rotation"]

router = APIRouter(prefix="/api")


@router.get("/occlude")
def occlude(at: Asked, top: int, left: int, side: int = 16, grey: float = 128) -> dict[str, Any]:
    view = at.view
    with at.lock:
        covered = library.cover(at.network, view, top, left, side, grey)
        before, now = (float(each.activations(at.layer)[at.map].sum()) for each in (view, covered))
    best = np.argsort(-np.maximum(view.probabilities, covered.probabilities), kind="stable")
    return {
        "predictions": [
            {
                "class": int(i), "name": at.network.classes[int(i)],
                "probability": float(covered.probabilities[i]),
                "clean": float(view.probabilities[i]),
            }
            for i in best[:5]
        ],
        "activation": {"clean": before, "now": now},
    }  # fmt: skip


@router.post("/occlusion")
def start_occlusion(
    at: Asked, side: int = 32, stride: int = 8, grey: float = 128
) -> dict[str, str]:
    key = ("occlusion", at.network.name, at.image, at.layer, str(at.map), f"{side}-{stride}-{grey}")
    view = at.view
    at.looked.session.start(
        key, "the square is moved over the image",
        lambda work: library.occlude(
            at.network, view, at.layer, at.map, side=side, stride=stride, grey=grey,
            progress=work.progress,
        ),
    )  # fmt: skip
    return {"job": "|".join(key)}


@router.get("/job")
def job(session: Opened, job: str) -> dict[str, Any]:
    work = session.job(tuple(job.split("|")))
    return {
        "state": work.state, "done": work.done, "total": work.total, "message": work.message
    }  # fmt: skip


@router.get("/occlusion.png")
def draw_occlusion(
    session: Opened, job: str, what: Literal["activation", "probability", "best"] = "probability"
) -> Response:
    found = session.occlusion(tuple(job.split("|")))
    if what == "best":
        return png(np.array([[_rgb(int(i)) for i in row] for row in found.best], np.float32))
    highest = 1.0 if what == "probability" else float(found.activation.max())
    values = getattr(found, what).astype(np.float32)
    return png(pictures.heat(values, highest))


@router.get("/occlusion.csv")
def occlusion_table(session: Opened, job: str) -> Response:
    found = session.occlusion(tuple(job.split("|")))
    return csv(str(found.to_table().to_csv(index=False, float_format="%.5g")))


@router.get("/occlusion")
def occlusion(session: Opened, job: str, network: str) -> dict[str, Any]:
    found = session.occlusion(tuple(job.split("|")))
    names = session.looked(network).network.classes
    best = [int(i) for i in np.unique(found.best)]
    least = np.unravel_index(int(found.probability.argmin()), found.probability.shape)
    return {
        "label": names[found.label],
        "clean": found.clean_probability,
        "activation": found.clean_activation,
        "least": float(found.probability.min()),
        "least_at": [found.rows[int(least[0])], found.columns[int(least[1])]],
        "rows": len(found.rows),
        "columns": len(found.columns),
        "classes": [
            {
                "name": names[i],
                "share": float((found.best == i).mean()),
                "colour": [round(255 * part) for part in _rgb(i)],
            }
            for i in best
        ],
    }


@router.get("/move")
def move(at: Asked, kind: Kind, amount: float, layers: str = "conv1,fc7") -> dict[str, Any]:
    with at.lock:
        moved = library.move(at.network, at.view, kind, amount, _layers(at, layers))
    return {
        "distances": moved.distances,
        "relative": moved.relative,
        "probability": moved.probability,
        "clean": moved.clean,
        "name": at.view.top(1)[0][0],
    }


@router.get("/moved.png")
def draw_moved(at: Asked, kind: Kind, amount: float) -> Response:
    first = next(iter(at.network.layers))
    with at.lock:
        return png(library.move(at.network, at.view, kind, amount, [first]).crop)


@router.get("/curves")
def curves(at: Asked, kind: Kind, layers: str = "conv1,fc7") -> dict[str, Any]:
    first, last, step = AMOUNTS[kind]
    wide = at.network.crop / invariance.PAPER_CROP if kind == "translation" else 1.0
    amounts = [round(float(a) * wide, 2) for a in np.arange(first, last + step / 2, step)]
    wanted = _layers(at, layers)
    with at.lock:
        moved = [library.move(at.network, at.view, kind, a, wanted) for a in amounts]
    return {
        "amounts": amounts,
        "layers": {layer: [each.relative[layer] for each in moved] for layer in wanted},
        "probability": [each.probability for each in moved],
    }


@router.get("/curves.csv")
def curve_table(at: Asked, kind: Kind, layers: str = "conv1,fc7") -> Response:
    found = curves(at, kind, layers)
    names = list(found["layers"])
    lines = [",".join(["amount", *names, "probability"])]
    columns = (found["amounts"], *(found["layers"][n] for n in names), found["probability"])
    lines += [",".join(f"{value:.6g}" for value in row) for row in zip(*columns, strict=True)]
    return csv("\n".join([*lines, ""]))


def _layers(at: Address, words: str) -> list[str]:
    wanted = [word for word in words.split(",") if word in at.network.layers]
    if not wanted:
        raise HTTPException(404, f"{at.network.name} has none of the layers {words}")
    return wanted


def _rgb(number: int) -> tuple[float, float, float]:
    """A colour for a class: hues that are far from each other for numbers that are near."""
    return colorsys.hsv_to_rgb((number * 0.618034) % 1, 0.55, 0.85)
