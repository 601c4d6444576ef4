"""A map over a set of images: its strongest, its training, its like in another network."""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Response

from zfrepro import library
from zfrepro.look import pictures
from zfrepro.look.asking import Asked, Opened, csv, png
from zfrepro.look.sets import Validation
from zfrepro.render import mosaic

LEAST = 96  # pixels across of a projection or patch that is shown

router = APIRouter(prefix="/api")


def strongest(at: Asked, weakest: bool = False) -> list[library.TopImage]:
    images, peaks = at.looked.images(), at.looked.peaks()
    assert images is not None  # noqa: S101  else there are no peaks
    with at.lock:
        return library.top_images(
            at.network, images, at.layer, at.map, weakest=weakest, known=peaks[at.layer]
        )


Strongest = Annotated[list[library.TopImage], Depends(strongest)]


@router.get("/top")
def list_top(at: Asked, found: Strongest) -> dict[str, Any]:
    images = at.looked.images()
    of_set = isinstance(images, Validation)
    return {
        "ready": True,
        "set": len(images or ()),
        "images": [
            {
                "image": f"{'set' if of_set else 'folder'}:{each.image}",
                "name": at.network.classes[int(images.split.labels[each.image])]
                if isinstance(images, Validation)
                else "",
                "value": each.value,
                "row": each.row,
                "column": each.column,
            }
            for each in found
        ],
    }


@router.get("/top.png")
def draw_top(found: Strongest, what: Literal["projections", "patches"] = "projections") -> Response:
    if not found:
        raise HTTPException(404, "the map fires for no image of the set")
    if what == "patches":
        cells = [each.patch for each in found]
    else:  # one contrast for all nine, as in figure 2
        cells = list(mosaic.signed(np.stack([each.pixels for each in found])))
    side = max(96, cells[0].shape[1])
    cells = [mosaic.enlarge(each, side, smooth=cells[0].shape[1] > 16) for each in cells]
    return png(pictures.sprite(cells, 3))


@router.get("/top.csv")
def top_table(at: Asked, found: Strongest) -> Response:
    lines = ["layer,map,rank,image,row,column,value"]
    lines += [
        f"{at.layer},{at.map},{rank},{each.image},{each.row},{each.column},{each.value:.6g}"
        for rank, each in enumerate(found, start=1)
    ]
    return csv("\n".join([*lines, ""]))


@router.get("/evolution")
def evolution(at: Asked) -> dict[str, Any]:
    moments = at.looked.moments(at.layer, at.map)
    return {
        "ready": True,
        "epochs": [each.epoch for each in moments],
        "values": [each.value for each in moments],
    }


@router.get("/evolution.csv")
def evolution_table(at: Asked) -> Response:
    rows = [f"{each.epoch},{each.value:.6g}" for each in at.looked.moments(at.layer, at.map)]
    return csv("\n".join(["epoch,strongest", *rows, ""]))


@router.get("/evolution.png")
def draw_epochs(at: Asked, epoch: int | None = None) -> Response:
    """The projection and the patch of one epoch, or of all, an epoch a line."""
    moments = at.looked.moments(at.layer, at.map)
    shown = [each.projection for each in moments if epoch in (None, each.epoch)]
    found = [each for each in shown if each is not None]
    if not found:
        raise HTTPException(404, f"the map fires for no image at epoch {epoch}")
    cells = [each for one in found for each in (mosaic.signed(one.pixels), one.patch)]
    side = max(LEAST, cells[0].shape[1])
    return png(pictures.sprite([mosaic.enlarge(each, side, smooth=True) for each in cells], 2))


@router.get("/match")
def match(session: Opened, at: Asked, other: str) -> dict[str, Any]:
    theirs = session.looked(other)
    if theirs.images_digest != at.looked.images_digest:
        raise ValueError(
            f"{other} and {at.network.name} were trained on different images: maps are matched "
            "over images that both know; --images FOLDER gives both the same"
        )
    peaks = at.looked.peaks()[at.layer]
    others = {
        layer: values for layer, values in theirs.peaks().items()
        if (theirs.network.layers[layer].field is None)
        == (at.network.layers[at.layer].field is None)
    }  # fmt: skip
    found = library.matching(peaks, at.map, others)
    return {
        "ready": True,
        "images": len(peaks),
        "maps": [
            {"layer": layer, "map": number, "correlation": correlation}
            for layer, number, correlation in found
        ],
    }
