"""What the answers have in common: the address that is asked for, and files to send."""

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response

from zfrepro import library
from zfrepro.library import Picture, View
from zfrepro.look import pictures
from zfrepro.look.session import Looked, Session

TYPES = {
    "png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "csv": "text/csv",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    """A network, and what of it is asked for."""

    looked: Looked
    image: str
    layer: str
    map: int

    @property
    def network(self) -> library.Network:
        return self.looked.network

    @property
    def lock(self) -> threading.Lock:
        """Held while a network computes: two at once take longer than one after the other."""
        return self.looked.session.lock

    @property
    def view(self) -> View:
        if not self.image:
            raise HTTPException(422, "choose an image first")
        return self.looked.view(self.image)

    def activations(self) -> Picture:
        """Of the layer, (maps, h, w)."""
        with self.lock:
            return self.view.activations(self.layer)


def opened(request: Request) -> Session:
    session: Session = request.app.state.session
    return session


Opened = Annotated[Session, Depends(opened)]


def address(
    session: Opened,
    network: str,
    image: str = "",
    layer: str = "",
    map: int = 0,
) -> Address:
    looked = session.looked(network)
    layers = looked.network.layers
    if layer and layer not in layers:
        raise HTTPException(404, f"there is no layer {layer}; there are {', '.join(layers)}")
    if layer and not 0 <= map < layers[layer].maps:
        raise HTTPException(404, f"{layer} has maps 0 to {layers[layer].maps - 1}")
    return Address(looked, image, layer, map)


Asked = Annotated[Address, Depends(address)]


def png(picture: Picture) -> Response:
    return file(pictures.png(picture), "png")


def csv(text: str) -> Response:
    return file(text.encode(), "csv")


def file(content: bytes, kind: str) -> Response:
    return Response(content, media_type=TYPES[kind])
