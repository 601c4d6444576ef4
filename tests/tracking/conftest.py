import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from zfrepro.tracking.settings import tame_mlflow

tame_mlflow(timeout=30, retries=0)

from mlflow import MlflowClient  # noqa: E402

from tests.tracking.place import Place, free_port  # noqa: E402


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making the tables takes seconds: once for all tests."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture
def place(tmp_path: Path, empty_database: Path) -> Place:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return Place(tmp_path)


@pytest.fixture
def dead_uri() -> str:
    """A port that refuses."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def silent_uri() -> Iterator[str]:
    """A server that takes requests and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
