"""Files finished runs that the store does not have, or has not whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zfrepro.tracking.record import Record, Row
from zfrepro.tracking.settings import Settings, tame_mlflow

if TYPE_CHECKING:
    from zfrepro.tracking.store import Store

TIMEOUT, RETRIES = 60, 2  # of a server: here a moment's silence may be waited out


@dataclass(frozen=True)
class Published:
    """What became of one run: `action` is "created", "completed" or "unchanged"."""

    experiment: str
    fingerprint: str
    run_id: str
    action: str


def publish(
    records: Iterable[Record],
    tracking: Mapping[str, Any],
    more: Mapping[str, Row] | None = None,
) -> list[Published]:
    """Brings the store up to the run folders; what is there is left alone.

    Args:
        records: the finished runs.
        tracking: the configuration's `tracking`.
        more: by experiment, further results as metrics (of an evaluation, for instance).

    Raises:
        Exception: whatever MLflow does when the store does not answer.
    """
    settings = Settings.of(tracking)
    records = list(records)
    if not settings.enabled or not records:
        return []
    tame_mlflow(timeout=TIMEOUT, retries=RETRIES)
    from zfrepro.tracking.store import Store  # noqa: PLC0415  MLflow takes two seconds to import

    store = Store(settings)
    return [
        _publish(store, record, (more or {}).get(str(record.config["name"]), {}))
        for record in records
    ]


def _publish(store: "Store", record: Record, more: Row) -> Published:
    from zfrepro.tracking.filing import Filed  # noqa: PLC0415

    run = Filed.open(store, record.config, record.fingerprint, record.started)
    changed = run.complete(record)
    run.log_metrics(more, step=len(record.epochs))
    action = "created" if run.created else "completed" if changed else "unchanged"
    return Published(str(record.config["name"]), record.fingerprint, run.run_id, action)
