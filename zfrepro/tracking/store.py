"""Where runs are filed: an MLflow store, made ready once however many processes start together."""

import fcntl
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run, ViewType

from zfrepro.tracking import database
from zfrepro.tracking.elements import NOTE
from zfrepro.tracking.settings import Settings

COMPLETE = "complete"  # the tag of a run that has all that its files hold

for name in ("alembic", "urllib3.connectionpool"):  # the latter warns of each retry
    logging.getLogger(name).setLevel(logging.ERROR)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # the error itself is raised


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
            if settings.database:
                artifacts = None if settings.artifacts else settings.beside
                database.make_ready(settings.database, artifacts)
            self.client: MlflowClient = MlflowClient(self.uri)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other process of this machine is here, and holds the store meanwhile."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def run(
        self, experiment_id: str, identity: Mapping[str, str], name: str, started: int | None = None
    ) -> tuple[Run, bool]:
        """The first run that has the tags `identity`, or one made with them; and whether it is new.

        A deleted one is restored: made anew it would be there twice once somebody restores it.

        Args:
            started: of a new one, in ms since 1970; now if None.
        """
        with self.alone():
            where = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
            order = ["attributes.start_time ASC"]
            for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY):
                for found in self.client.search_runs([experiment_id], where, view, 1, order):
                    return self.restored(found), False
            made = self.client.create_run(
                experiment_id, start_time=started, tags=dict(identity), run_name=name
            )
            return made, True

    def restored(self, run: Run) -> Run:
        """The run, which is no longer deleted if it was."""
        if run.info.lifecycle_stage == "deleted":
            self.client.restore_run(run.info.run_id)
        return run

    def file(
        self,
        experiment_id: str,
        fingerprint: str,
        name: str,
        add: Callable[[Run], None],
        artifacts: Collection[str] = (),
    ) -> tuple[str, str]:
        """Has `add` file a run's content, unless the store has it whole.

        The tag `complete` comes last but one, FINISHED last: a run without them is taken up again.

        Args:
            artifacts: names that a whole run has; somebody may have deleted their files.

        Returns:
            The run's id, and what was done: "created", "completed" or "unchanged".
        """
        run, created = self.run(experiment_id, {"fingerprint": fingerprint}, name)
        run_id = str(run.info.run_id)
        known = is_whole(run) and run.info.lifecycle_stage == "active"
        if known and self.artifacts(run_id) >= {*artifacts}:
            return run_id, "unchanged"
        with self.alone():
            add(run)
            self.client.set_tag(run_id, COMPLETE, "true")
            self.client.set_terminated(run_id, "FINISHED")
        return run_id, "created" if created else "completed"

    def artifacts(self, run_id: str) -> set[str]:
        """Names of a run's files and folders."""
        return {file.path for file in self.client.list_artifacts(run_id)}

    def models(self, run_id: str) -> list[LoggedModel]:
        """The models that a run has logged, whole or not."""
        experiment_id = self.client.get_run(run_id).info.experiment_id
        of_run = f"source_run_id = '{run_id}'"
        return list(self.client.search_logged_models([experiment_id], of_run))

    def experiment(self, name: str, note: str, tags: Mapping[str, str] | None = None) -> str:
        """The id of an MLflow experiment, made unless it exists.

        Args:
            note: of a new one, its description in Markdown; `{id}` in it becomes its id.
            tags: of a new one.
        """
        with self.alone():
            found = self.client.get_experiment_by_name(name)
            if found is None:
                root = f"{self._artifacts}/{name}" if self._artifacts else None
                kind = {"mlflow.experimentKind": "custom_model_development"}  # not "GenAI"
                made = str(self.client.create_experiment(name, root, tags=kind | dict(tags or {})))
                self.client.set_experiment_tag(made, NOTE, note.replace("{id}", made))
                return made
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)


def is_whole(run: Run) -> bool:
    """Whether nothing is missing that the run's files hold."""
    return run.data.tags.get(COMPLETE) == "true" and run.info.status == "FINISHED"
