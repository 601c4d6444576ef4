"""The alias `best` in the registry."""

from pathlib import Path

import pytest

from tests.run_folders import run_config, write_run
from tests.tracking.place import Place
from zfrepro import tracking
from zfrepro.tracking import Record, Registered

NAMES = ("tab3_zfnet", "tab3_zfnet_fc2048", "tab3_alexnet", "fig6_zfnet_no_clip")


@pytest.fixture
def records(place: Place) -> list[Record]:
    """Two ZFNets of table 3, and two nets that do not compete: an AlexNet, and one of a figure."""
    found = []
    for name in NAMES:
        cfg = run_config(place.tracking, name)
        cfg["model"] = cfg["model"] | {"name": "alexnet" if "alexnet" in name else "zfnet"}
        cfg["paper"] = cfg["paper"] | {"table": "figure6" if "fig6" in name else "table3"}
        found.append(Record.read(write_run(place.folder / name, cfg, f"{name:x>20}"[-16:]), cfg))
    return found


def errors(*values: float) -> dict[str, dict[str, float]]:
    ten = ({"val/top1_ten_crops": value} for value in values)
    return dict(zip(NAMES, ten, strict=True))


def test_the_alias_moves_to_the_best_zfnet(place: Place, records: list[Record]) -> None:
    tracking.publish(records)
    registered = tracking.register_best(records, errors(18, 24, 10, 10))
    assert registered == Registered("tab3_zfnet", "1", moved=True)
    before = place.rows()
    again = tracking.register_best(records, errors(18, 24, 10, 10))
    assert again == Registered("tab3_zfnet", "1", moved=False)
    assert place.rows()["registered_model_aliases"] == before["registered_model_aliases"]
    moved = tracking.register_best(records, errors(18, 17, 10, 10))
    assert moved == Registered("tab3_zfnet_fc2048", "2", moved=True)
    back = tracking.register_best(records, errors(16, 17, 10, 10))
    assert back == Registered("tab3_zfnet", "1", moved=True)
    version = place.client.get_model_version_by_alias("zfnet", "best")
    (run,) = [run for run in place.runs() if run.info.run_name == "tab3_zfnet"]
    assert version.run_id == run.info.run_id
    assert "18.0 %" in version.description


def test_nets_that_were_not_evaluated_are_not_compared(place: Place, records: list[Record]) -> None:
    assert tracking.register_best(records, {}) is None
    assert place.runs() == []


def test_a_run_that_is_not_filed_yet_is_filed_first(place: Place, records: list[Record]) -> None:
    tracking.register_best(records, errors(18, 24, 10, 10))
    assert [run.info.run_name for run in place.runs()] == ["tab3_zfnet"]


def test_a_store_that_is_off_registers_nothing(place: Place, tmp_path: Path) -> None:
    cfg = run_config(place.tracking | {"enabled": False})
    record = Record.read(write_run(tmp_path / "run", cfg))
    assert tracking.register_best([record], {"tab3_zfnet": {"val/top1_ten_crops": 1.0}}) is None
