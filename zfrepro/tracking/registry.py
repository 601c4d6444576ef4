"""The best ZFNet of tables 2 and 3 in MLflow's registry, so that others find it by one name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfrepro.tracking.record import Record, Row

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from zfrepro.tracking.store import Store

NAME, ALIAS = "zfnet", "best"
TABLES = ("table2", "table3")
ERROR = "val/top1_ten_crops"
ABOUT = (
    "ZFNets of this project. The alias `best` names the one with the lowest validation error of "
    "tables 2 and 3 when they were last published; chosen by that error, it is better there than "
    "on new images. `make serve` answers with its predictions."
)


@dataclass(frozen=True)
class Registered:
    """The version that has the alias, and whether it was given it just now."""

    experiment: str
    version: str
    moved: bool


def best(records: Iterable[Record], errors: Mapping[str, Row]) -> Record | None:
    """The ZFNet whose top-1 validation error over ten crops is lowest; None where none has one.

    Args:
        errors: by experiment, as metrics.
    """
    candidates = [
        (errors[name][ERROR], name, record)
        for record in records
        if record.config["paper"]["table"] in TABLES
        and record.config["model"]["name"] == NAME
        and ERROR in errors.get(name := str(record.config["name"]), {})
    ]
    return min(candidates, key=lambda each: each[:2])[2] if candidates else None


def register(store: "Store", record: Record, run_id: str, error: float) -> Registered:
    """Gives the alias to the model of a run, as a version of its own."""
    with store.alone():
        version = _version(store, run_id) or _create(store, record, run_id, error)
        found = store.client.get_registered_model(NAME)
        moved = found.aliases.get(ALIAS) != version.version
        if moved:
            store.client.set_registered_model_alias(NAME, ALIAS, version.version)
    return Registered(str(record.config["name"]), str(version.version), moved)


def _version(store: "Store", run_id: str) -> "ModelVersion | None":
    versions = store.client.search_model_versions(f"name = '{NAME}' and run_id = '{run_id}'")
    return versions[0] if versions else None


def _create(store: "Store", record: Record, run_id: str, error: float) -> "ModelVersion":
    client, config = store.client, record.config
    if not client.search_registered_models(f"name = '{NAME}'"):
        client.create_registered_model(NAME, description=ABOUT)
    (model,) = store.models(run_id)
    return client.create_model_version(
        NAME,
        source=model.artifact_location,  # `models:/<id>` is looked up in MLflow's default store
        run_id=run_id,
        model_id=model.model_id,
        tags={"experiment": config["name"], "profile": config["profile"]},
        description=f"`{config['name']}` at profile `{config['profile']}`: top-1 validation error "
        f"{error:.1f} %, ten crops averaged.",
    )
