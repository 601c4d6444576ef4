"""Files finished runs that the store does not have, or has not whole."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from typing import TYPE_CHECKING

from zfrepro.processes import die_with_parent
from zfrepro.tracking import registry
from zfrepro.tracking.elements import arrange
from zfrepro.tracking.folds import Folds, file_folds
from zfrepro.tracking.record import Config, Record, Row
from zfrepro.tracking.results import Result, file_result
from zfrepro.tracking.settings import Settings, tame_mlflow

if TYPE_CHECKING:
    from zfrepro.tracking.store import Store

MANY = 5  # pictures; fewer are drawn before another process has started
TIMEOUT, RETRIES = 60, 2  # of a server: here a moment's silence may be waited out


@dataclass(frozen=True)
class Published:
    """What became of one run: `action` is "created", "completed" or "unchanged".

    `experiment` is the training's, or the paper's name of a figure or table.
    """

    experiment: str
    fingerprint: str
    run_id: str
    action: str


def publish(records: Iterable[Record], more: Mapping[str, Row] | None = None) -> list[Published]:
    """Brings the store that each run's configuration names up to its folder.

    A run is found by its fingerprint; one that is whole is left alone, and one whose tracking is
    off is left out. The store may be asked again at any time: nothing is filed twice.

    Args:
        records: the finished runs.
        more: by experiment, further results as metrics (of an evaluation, for instance).

    Raises:
        Exception: whatever MLflow does when the store does not answer.
    """
    open_store = cache(_open_store)  # once for each place
    wanted = [record for record in records if Settings.of(record.config["tracking"]).enabled]
    done = []
    with _artists(len(wanted)) as artists:
        for record in wanted:
            store = open_store(Settings.of(record.config["tracking"]))
            extra = (more or {}).get(str(record.config["name"]), {})
            done.append(_publish(store, record, extra, artists))
    return done


def publish_results(
    results: Iterable[Result], folds: Iterable[Folds], tracking: Config
) -> list[Published]:
    """Brings the store up to the files of figures, tables and claims, each a run, and of folds.

    Args:
        tracking: the configuration that names the store.

    Raises:
        Exception: whatever MLflow does when the store does not answer.
    """
    settings = Settings.of(tracking)
    if not settings.enabled:
        return []
    store = _open_store(settings)
    published = [
        *(Published(each.element, each.digest, *file_result(store, each)) for each in results),
        *(Published(each.name, each.digest, *file_folds(store, each)) for each in folds),
    ]
    arrange(store)
    return published


def register_best(
    records: Iterable[Record], errors: Mapping[str, Row]
) -> registry.Registered | None:
    """Has the alias `best` of the registry's `zfnet` name the best ZFNet of these published runs.

    Args:
        errors: by experiment, as metrics; a net without an error over ten crops does not compete.

    Raises:
        Exception: whatever MLflow does when the store does not answer.
    """
    record = registry.best(records, errors)
    if record is None or not (settings := Settings.of(record.config["tracking"])).enabled:
        return None
    store, name = _open_store(settings), str(record.config["name"])
    run_id = _publish(store, record, errors[name]).run_id
    return registry.register(store, record, run_id, errors[name][registry.ERROR])


def _artists(pictures: int) -> Executor:
    """Draws while this process files: from a handful of pictures on in a process of its own."""
    if pictures < MANY:
        return ThreadPoolExecutor(1)
    # spawned: of a fork, MLflow's and torch's threads would be missing
    artists = ProcessPoolExecutor(1, get_context("spawn"), initializer=die_with_parent)
    artists.submit(import_module, "matplotlib.figure")  # it starts while the store is opened
    return artists


def _open_store(settings: Settings) -> "Store":
    tame_mlflow(timeout=TIMEOUT, retries=RETRIES)
    from zfrepro.tracking.store import Store  # noqa: PLC0415  MLflow takes two seconds to import

    return Store(settings)


def _publish(
    store: "Store", record: Record, more: Row, artists: Executor | None = None
) -> Published:
    from zfrepro.tracking.filing import Filed  # noqa: PLC0415

    run = Filed.open(store, record.config, record.fingerprint, record.started)
    changed = run.complete(record, artists)
    run.log_evaluation(record, more)
    action = "created" if run.created else "completed" if changed else "unchanged"
    return Published(str(record.config["name"]), record.fingerprint, run.run_id, action)
