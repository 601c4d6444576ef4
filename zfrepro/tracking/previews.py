"""Small copies of pictures, for descriptions: MLflow shows a picture there at its full width."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "previews"  # of a run's artifacts
WIDTH, HEIGHT = 760, 10_000  # pixels at most; a description's column is about 800 wide


def log(client: "MlflowClient", run_id: str, paths: Sequence[Path]) -> None:
    """Logs copies of pictures that are no wider than a description."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        for small in pool.map(partial(_shrink, Path(folder)), paths):
            client.log_artifact(run_id, str(small), FOLDER)


def _shrink(folder: Path, path: Path) -> Path:
    from PIL import Image  # noqa: PLC0415

    with Image.open(path) as picture:
        picture.thumbnail((WIDTH, HEIGHT))
        small = folder / _name(path.name)
        picture.convert("RGB").save(small, quality=90)
    return small


def markdown(run_id: str, name: str) -> str:
    """Shows a picture's copy in the page of whatever server it is opened in."""
    return f"![{name}](get-artifact?path={FOLDER}/{quote(_name(name))}&run_uuid={run_id})"


def _name(picture: str) -> str:
    return f"{Path(picture).stem}.jpg"  # a PNG takes ten times as long to write
