"""Packs a trained net as an MLflow model that needs neither this checkout nor its run folder."""

import base64
import io
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, ParamSchema, ParamSpec, Schema
from PIL import Image

from zfrepro.fingerprint import PROJECT, closure
from zfrepro.serving import mean_picture, unique_labels
from zfrepro.training import archive

CODE = Path(__file__).with_name("model.py")
REQUIREMENTS = ("mlflow", "torch", "numpy", "pandas", "pillow")


def save(path: Path, weights: Path, *, run_id: str, model: LoggedModel) -> None:
    """Writes the MLflow model folder `path` for `weights.pt` of a run.

    The code that it needs goes with it, and nothing is pickled: the weights load with
    `weights_only=True`.
    """
    content = archive.read(weights)
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(
            path,
            python_model=str(CODE),
            artifacts={"weights": str(weights)},
            code_paths=[str(_copy_sources(Path(folder)))],
            signature=_signature(unique_labels(content["classes"])),
            input_example=_example(mean_picture(content["mean"])),
            pip_requirements=[
                f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS
            ],
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                model_id=model.model_id,
                run_id=run_id,
            ),
        )


def _copy_sources(folder: Path) -> Path:
    """The part of this package that predicting needs, as a package of its own."""
    for source in _sources():
        target = folder / source.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder / "zfrepro"


@cache
def _sources() -> list[Path]:
    return closure(["zfrepro.serving"])


def _signature(labels: Sequence[str]) -> ModelSignature:
    """A column of images, arrays or base64 (no schema type covers both), to a column a class."""
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name="image")]),  # type: ignore[no-untyped-call]
        outputs=Schema([ColSpec(DataType.double, name=label) for label in labels]),
        params=ParamSchema([ParamSpec("crops", DataType.string, "ten")]),
    )


def _example(mean: Image.Image) -> pd.DataFrame:
    """One request: the training set's mean image, as a base64-encoded JPEG."""
    buffer = io.BytesIO()
    mean.save(buffer, format="JPEG")
    return pd.DataFrame({"image": [base64.b64encode(buffer.getvalue()).decode()]})
