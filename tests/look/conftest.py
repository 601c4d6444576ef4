"""The page's server on a free port, with a folder of four photographs as the images of networks."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.look.asking import Asker
from zfrepro.look import sets
from zfrepro.look.app import create
from zfrepro.look.session import Session

NETWORK = "rendered_zfnet"
SHOWN = ("astronaut", "cat", "coffee", "rocket")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name in SHOWN:
        (folder / f"{name}.jpg").symlink_to(sets.photographs()[name])
    return folder


@pytest.fixture(scope="session")
def session(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    own = "tests.look.own_network:made"
    return Session([NETWORK, own], photographs, tmp_path_factory.mktemp("look"))


@pytest.fixture(scope="session")
def server(session: Session) -> Iterator[str]:
    """The page's address."""
    yield from serve(session)


@pytest.fixture(scope="session")
def asker(server: str) -> Asker:
    return Asker(server)


def serve(session: Session, token: str | None = None) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    app = create(session, hosts={"127.0.0.1"}, token=token)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
