"""Where runs are filed: an MLflow store, made ready once however many processes start together."""

import fcntl
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient

from zfrepro.tracking.settings import Settings

for name in ("alembic", "urllib3.connectionpool"):  # the latter warns of each retry
    logging.getLogger(name).setLevel(logging.ERROR)


class Store:
    """An open MLflow store. Database and experiments are made under a file lock: several processes
    that create the same fresh SQLite database break each other.
    """

    def __init__(self, settings: Settings) -> None:
        """Connects. Raises whatever MLflow does when the store does not answer."""
        self.uri = settings.resolved_uri
        self._artifacts = settings.artifact_root
        self._lock = settings.lock
        with self.alone():
            self.client: MlflowClient = MlflowClient(self.uri)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other process of this machine is here, and holds the store meanwhile."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def experiment(self, name: str, tags: Mapping[str, str]) -> str:
        """The id of an MLflow experiment; one that does not exist is made with `tags`."""
        with self.alone():
            found = self.client.get_experiment_by_name(name)
            if found is None:
                root = f"{self._artifacts}/{name}" if self._artifacts else None
                kind = {"mlflow.experimentKind": "custom_model_development"}  # not "GenAI"
                return self.client.create_experiment(name, root, tags={**kind, **tags})
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
