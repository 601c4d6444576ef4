"""An MLflow store for tests, and trainings as far as tracking sees them."""

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel, Run

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
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """An MLflow server of its own process, with a folder's SQLite behind it, files through it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "mlflow", "server", "--workers", "1",
                "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                "--artifacts-destination", str(self.folder / "artifacts"),
                "--host", "127.0.0.1", "--port", str(self.port),
            ],
            cwd=self.folder, start_new_session=True,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # is for others
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: answers(f"{self.uri}/health"), seconds=60)

    def kill(self) -> None:
        """It and its workers, without a goodbye."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class Relay:
    """Passes connections on to a server, until it is told to stall: then it takes and is silent."""

    def __init__(self, port: int) -> None:
        self._server, self._stalled = port, threading.Event()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        self._stalled.set()

    def hang_up(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                self._ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._stalled.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def content(uri: str) -> list[dict[str, Any]]:
    """What a store shows of its runs: all but ids, times, and metrics of the machine."""
    client = MlflowClient(uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    return sorted((_shown(client, run, uri) for run in runs), key=lambda run: str(run["name"]))


def _shown(client: MlflowClient, run: Run, uri: str) -> dict[str, Any]:
    run_id, experiment = run.info.run_id, run.info.experiment_id
    history = {
        key: sorted((each.step, each.value) for each in client.get_metric_history(run_id, key))
        for key in run.data.metrics
        if not key.startswith("system/")
    }
    models = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    return {
        "name": (client.get_experiment(experiment).name, run.info.run_name),
        "status": run.info.status,
        "params": run.data.params,
        "tags": {key: value.replace(run_id, "ID") for key, value in run.data.tags.items()},
        "metrics": history,
        "data": [each.dataset.to_dictionary() for each in run.inputs.dataset_inputs],
        "files": _digests(f"runs:/{run_id}/", uri),
        "models": [_model(model, uri) for model in models],
    }


def _model(model: LoggedModel, uri: str) -> dict[str, Any]:
    files = _digests(model.artifact_location, uri)
    files.pop("MLmodel")  # it has the model's id and time
    metrics = sorted((each.key, each.step, each.value) for each in model.metrics or [])
    return {"status": model.status, "params": model.params, "metrics": metrics, "files": files}


def _digests(place: str, uri: str) -> dict[str, str]:
    folder = Path(download_artifacts(place, tracking_uri=uri))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }  # fmt: skip
