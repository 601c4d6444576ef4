"""An MLflow store for tests, and trainings as far as tracking sees them."""

import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.run_folders import MANIFEST
from zfrepro import tracking
from zfrepro.config import ROOT

FINGERPRINT = "f" * 16
KEYS = {
    "enabled": True, "live": True, "uri": None, "artifacts": None, "system": None, "patience": 60,
}  # fmt: skip


class Place:
    """An SQLite store in a folder, and what stands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / "mlflow.db"
        self.tracking = KEYS | {"uri": f"sqlite:///{self.database}"}

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.tracking["uri"])

    def runs(self, experiment: str = "table3") -> list[Run]:
        found = self.client.get_experiment_by_name(experiment)
        return list(self.client.search_runs([found.experiment_id])) if found else []

    def run(self) -> Run:
        (run,) = self.runs()
        return run

    def curve(self, key: str = "val/top1") -> list[tuple[int, float]]:
        history = self.client.get_metric_history(self.run().info.run_id, key)
        return sorted((metric.step, metric.value) for metric in history)

    def rows(self) -> dict[str, list[Any]]:
        """Everything in the database."""
        with sqlite3.connect(self.database) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                name: sorted(map(repr, database.execute(f"SELECT * FROM {name}")))  # noqa: S608
                for (name,) in tables.fetchall()
            }


def train(
    cfg: dict[str, Any],
    rows: list[dict[str, float]],
    folder: Path | None = None,
    error: BaseException | None = None,
) -> None:
    """A training as far as tracking sees it: epochs, then an end or an error."""
    with tracking.track(cfg, FINGERPRINT, MANIFEST) as tracker:
        for row in rows:
            tracker.log_epoch(row)
        if error is not None:
            raise error
        if folder is not None:
            tracker.finish(folder)


def python(program: str, *args: str, pipe: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *args],
        cwd=ROOT,
        stdin=subprocess.PIPE if pipe else None,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False
