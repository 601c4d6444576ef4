"""Small copies of pictures, for descriptions: MLflow shows a picture there at its full width."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "previews"  # of a run's artifacts
WIDTH, HEIGHT = 760, 10_000  # pixels at most; a description's column is about 800 wide


def log(client: "MlflowClient", run_id: str, path: Path) -> None:
    """Logs a copy of a picture that is no wider than a description."""
    from PIL import Image  # noqa: PLC0415

    with Image.open(path) as picture, tempfile.TemporaryDirectory() as folder:
        picture.thumbnail((WIDTH, HEIGHT))
        small = Path(folder) / path.name
        picture.save(small)
        client.log_artifact(run_id, str(small), FOLDER)


def markdown(run_id: str, name: str) -> str:
    """Shows a picture's copy in the page of whatever server it is opened in."""
    return f"![{name}](get-artifact?path={FOLDER}/{quote(name)}&run_uuid={run_id})"
