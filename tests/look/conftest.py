"""The page's server on a free port, with a folder of four photographs as the images of networks."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import uvicorn

from tests.look.asking import Asker
from zfrepro import config
from zfrepro.look import sets
from zfrepro.look.app import create
from zfrepro.look.session import Session
from zfrepro.models.convnet import build
from zfrepro.training import archive
from zfrepro.training.trained import Trained, save

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
    folder = str(trained(tmp_path_factory.mktemp("trained")))
    return Session([NETWORK, own, folder], photographs, tmp_path_factory.mktemp("look"))


def trained(folder: Path) -> Path:
    """A run's folder with the weights of three epochs: drawn, not trained."""
    spec = config.compose(["+experiment=tab3_zfnet", "profile=smoke", "model.width=0.125"])["model"]
    nets = [build(**spec, classes=3, crop=56, seed=seed) for seed in range(3)]
    (folder / "snapshots").mkdir()
    for epoch, net in zip((1, 4, 9), nets, strict=True):
        archive.save(net.state_dict(), folder / "snapshots" / f"epoch-{epoch:05}.pt")
    classes = [(word, word) for word in ("one", "two", "three")]
    mean = torch.full((64, 64, 3), 120.0)
    save(Trained(nets[-1], mean, 64, 56, classes, "bilinear"), folder / "weights.pt")
    return folder


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
