"""Where to file, and how MLflow is to behave; MLflow itself is not needed here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from zfrepro.config import ROOT

DATABASE = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Settings:
    """The keys of `conf/tracking/`, which explains them."""

    enabled: bool
    live: bool
    uri: str | None
    artifacts: str | None
    system: float | None
    patience: float

    @classmethod
    def of(cls, tracking: Mapping[str, Any]) -> Self:
        return cls(**tracking)

    @property
    def resolved_uri(self) -> str:
        """The store's URI; a relative SQLite path starts at the project, whatever the folder."""
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or DATABASE
        if uri.startswith(SQLITE) and not uri.startswith(SQLITE + "/"):
            return f"{SQLITE}{ROOT / uri.removeprefix(SQLITE)}"
        return uri

    @property
    def database(self) -> Path | None:
        """The SQLite file, where the store is one."""
        uri = self.resolved_uri
        return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None

    @property
    def lock(self) -> Path:
        return (self.database or ROOT / "mlflow.db").with_suffix(".db.lock")

    @property
    def artifact_root(self) -> str | None:
        """Where artifacts go; None leaves it to the server."""
        if self.artifacts:
            return self.artifacts if "://" in self.artifacts else (ROOT / self.artifacts).as_uri()
        if self.resolved_uri.startswith(("http:", "https:")):
            return None
        return ((self.database or ROOT / "mlflow.db").parent / "mlartifacts").as_uri()


def tame_mlflow(*, timeout: int, retries: int) -> None:
    """Has MLflow be quiet, phone nobody and give up on a dead server soon: before its import.

    What the user has set in the environment stays.
    """
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
    }.items():
        os.environ.setdefault(name, value)
