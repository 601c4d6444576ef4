"""Questions to the page's server, as a browser puts them."""

import io
import json
import time
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import numpy.typing as npt
from PIL import Image


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        return np.asarray(Image.open(io.BytesIO(self.content)))


class Asker:
    def __init__(self, server: str) -> None:
        self.server = server

    def __call__(
        self,
        path: str,
        post: bytes | None = None,
        headers: dict[str, str] | None = None,
        **words: Any,
    ) -> Answer:
        """Waits for what is being made."""
        url = f"{self.server}/{path}" + (f"?{urlencode(words)}" if words else "")
        method = "GET" if post is None else "POST"
        while True:
            try:
                with urlopen(Request(url, post, headers or {}, method=method)) as response:
                    found = Answer(response.status, response.read(), dict(response.headers))
            except HTTPError as error:
                found = Answer(error.code, error.read(), dict(error.headers))
            if found.status != 202:
                return found
            time.sleep(0.05)
